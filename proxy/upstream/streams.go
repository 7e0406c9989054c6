package upstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// Streams is the register of WebSockets and event streams that are open: those that must
// end when access does (S5).
type Streams struct {
	mu        sync.Mutex
	byAccount map[string]map[*stream]struct{}
	doubtful  map[string]struct{} // accounts of which something may be gone that their streams need
	rules     *rule.Rules         // under which nothing is in doubt
	limit     int                 // per account
	closed    bool                // the program stops

	look    chan struct{}  // an account is in doubt that should not wait for the next round
	sockets sync.WaitGroup // WebSockets that are open: net/http no longer knows of them
}

type stream struct {
	caller *caller.Caller
	route  vexa.Route
	method string
	path   string
	from   string // the client's address
	// websocket | events | transfer: much data, which ends by itself and is not counted against the limit
	kind string

	// cut ends it. It may be called by any goroutine while the stream is registered, any number of
	// times, and does not block.
	cut func(why *ending)
}

// ending is why a stream is ended before its own time.
type ending struct {
	code exchange.Code // for the log
	// of a WebSocket's close frame (RFC 6455 section 7.4); 4401 and 4503 are Vexa's own (V14)
	closeCode uint16
	reason    string // in it, at most 123 bytes
}

func (e *ending) Error() string { return e.reason }

var (
	accessEnded = &ending{
		"unauthenticated", closeUnauthorized, "Your sign-in or your access to Vexa has ended.",
	}
	storeDown = &ending{"store_unavailable", 4503, "Your sign-in cannot be checked right now. Please " +
		"connect again in a moment."}
	keyRefused = &ending{
		"vexa_key_refused", 4503, "Vexa did not take the key for this connection. Please connect again.",
	}
	stopping = &ending{"", 1001, "The service is restarting. Please connect again."}
)

// NewStreams makes an empty one; limit is how many streams an account may have.
func NewStreams(limit int) *Streams {
	return &Streams{
		byAccount: make(map[string]map[*stream]struct{}), doubtful: make(map[string]struct{}), limit: limit,
		look: make(chan struct{}, 1),
	}
}

// stream describes the stream that an exchange is about to become.
func (g *Passage) stream(kind, method string, cut func(*ending)) *stream {
	return &stream{
		caller: g.caller, route: g.route, method: method, path: g.ex.Path,
		from: g.ex.Address, kind: kind, cut: cut,
	}
}

// endedBy is the code of why a stream was ended; otherwise if it was not.
func endedBy(ctx context.Context, otherwise exchange.Code) exchange.Code {
	var why *ending
	if errors.As(context.Cause(ctx), &why) {
		return why.code
	}
	return otherwise
}

// register puts a stream into the register, so that it ends when access does.
func (s *Streams) register(st *stream) error {
	c := st.caller // once it is in the register, its caller is looked at afresh from time to time
	if err := s.add(st); err != nil {
		return err
	}
	if c.Ended() { // between the request's proof and now
		s.remove(st)
		return exchange.Refuse("unauthenticated", "")
	}
	return nil
}

// add registers a stream; it is refused beyond the account's limit (S12). What was found out about its caller
// before may no longer be so, and no revocation in between knew of the stream: it begins in doubt.
func (s *Streams) add(st *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := st.caller.Account.ID
	open := s.byAccount[account]
	switch {
	case s.closed:
		return exchange.Refuse("store_unavailable", stopping.reason)
	case st.kind != "transfer" && countStreams(open, anyStream) >= s.limit,
		st.kind != "transfer" && isProgram(st) && countStreams(open, isProgram) >= s.limit-s.limit/4:
		return exchange.Refuse("rate_limited", "Too many streams are open at a time.")
	case open == nil:
		open = make(map[*stream]struct{})
		s.byAccount[account] = open
	}
	open[st] = struct{}{}
	s.doubtful[account] = struct{}{}
	if st.kind == "websocket" {
		s.sockets.Add(1)
	}
	return nil
}

// countStreams is how many streams of an account count against its limit, of those that are such.
func countStreams(open map[*stream]struct{}, such func(*stream) bool) (n int) {
	for st := range open {
		if st.kind != "transfer" && such(st) {
			n++
		}
	}
	return n
}

func anyStream(*stream) bool { return true }

// isProgram reports whether a stream is a program's. All programs of somebody together leave a quarter of
// the places to their browser.
func isProgram(st *stream) bool { return st.caller.Credential != caller.BySession }

func (s *Streams) remove(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := st.caller.Account.ID
	delete(s.byAccount[account], st)
	if len(s.byAccount[account]) == 0 {
		delete(s.byAccount, account)
		delete(s.doubtful, account)
	}
	if st.kind == "websocket" {
		s.sockets.Done()
	}
}

// End ends the streams of an account: those of one credential, or all when id is empty.
func (s *Streams) End(account, id string) {
	s.cut(account, func(st *stream) bool { return id == "" || st.caller.CredentialID == id })
}

// EndOf ends the streams of a caller, who may nothing any more.
func (s *Streams) EndOf(c *caller.Caller) {
	s.cut(c.Account.ID, func(st *stream) bool { return st.caller == c })
}

// Keep ends those streams of a caller that they may no longer have, by what was found when looking afresh,
// and leaves them the others.
func (s *Streams) Keep(was, now *caller.Caller, v *caller.View) {
	s.cut(was.Account.ID, func(st *stream) bool {
		return st.caller == was && (!caller.Covers(v.Scopes, st.route) ||
			caller.DeniesRoute(v.Decision.Grant.DenyRoutes, st.method, st.path))
	})
	s.replaceCaller(was, now)
}

// cut ends those of an account's streams that ends says.
func (s *Streams) cut(account string, ends func(*stream) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byAccount[account] {
		if ends(st) {
			st.cut(accessEnded)
		}
	}
}

// EndAll ends every stream because the store has been away too long to know who may go on (S5).
func (s *Streams) EndAll() { s.cutAll(storeDown) }

// cutAll ends every stream.
func (s *Streams) cutAll(why *ending) {
	s.each(func(st *stream) { st.cut(why) })
}

// Close ends every stream, lets no other in, and waits until the WebSockets have ended: at most partingTime.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cutAll(stopping)
	s.sockets.Wait()
}

// Sweep ends the streams whose credentials have come to their end, puts those in doubt that have to be looked
// at afresh, and counts the others as use.
func (s *Streams) Sweep(now time.Time, used func(c *caller.Caller, address string)) {
	s.each(func(st *stream) {
		c := st.caller
		switch {
		case !c.Expires.IsZero() && !now.Before(c.Expires):
			st.cut(accessEnded)
			return
		case !c.Until.IsZero() && !now.Before(c.Until):
			s.doubtful[c.Account.ID] = struct{}{}
		}
		used(c, st.from)
	})
}

// Callers returns those of an account who have streams, each once.
func (s *Streams) Callers(account string) []*caller.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[*caller.Caller]bool)
	for st := range s.byAccount[account] {
		all[st.caller] = true
	}
	return slices.Collect(maps.Keys(all))
}

// replaceCaller gives the streams of a caller the same one as they are now.
func (s *Streams) replaceCaller(was, now *caller.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byAccount[was.Account.ID] {
		if st.caller == was {
			st.caller = now
		}
	}
}

// Count returns how many streams of a kind are open.
func (s *Streams) Count(kind string) int {
	n := 0
	s.each(func(st *stream) {
		if st.kind == kind {
			n++
		}
	})
	return n
}

func (s *Streams) each(do func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, open := range s.byAccount {
		for st := range open {
			do(st)
		}
	}
}

// Look is ready to be received from when accounts are in doubt that should not wait for the next round.
func (s *Streams) Look() <-chan struct{} { return s.look }

// LookNow asks for the accounts in doubt to be looked at without waiting for the next round.
func (s *Streams) LookNow() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// Doubt notes that something may be gone that an account's streams need.
func (s *Streams) Doubt(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byAccount[account]) > 0 {
		s.doubtful[account] = struct{}{}
	}
}

// DoubtAll notes it of all accounts.
func (s *Streams) DoubtAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for account := range s.byAccount {
		s.doubtful[account] = struct{}{}
	}
}

// InDoubt returns the accounts whose streams must be looked at again, each once: those noted, and all when
// the rules are not those of last time.
func (s *Streams) InDoubt(rules *rule.Rules) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts := slices.Collect(maps.Keys(s.doubtful))
	if s.rules != rules {
		accounts = slices.Collect(maps.Keys(s.byAccount))
	}
	s.rules = rules
	clear(s.doubtful)
	return accounts
}
