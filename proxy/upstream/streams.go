package upstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// maxUnderWay is the greatest number of requests of one account that are under way on a replica at a time, in
// whatever state: each holds a connection or two and up to 64 KiB (S12).
const maxUnderWay = 1000

// Streams is the register of all that is under way for callers: requests whose body still arrives, that wait
// for a key or for Vexa, or whose response still leaves; event streams and WebSockets; forms of our own
// pages. All of it must end when access does (S5).
type Streams struct {
	mu        sync.Mutex
	byAccount map[string]underWay
	count     map[string]int // of each kind
	wheel     wheel
	doubts    doubts
	limit     int  // per account
	closed    bool // Close was called

	sockets sync.WaitGroup // open WebSockets: net/http no longer knows of them
}

// underWay is what is under way of an account: a list, so that a request costs no allocation here.
type underWay struct {
	first *stream
	n     int
}

// all iterates over the list. The current one may be taken off it.
func (u underWay) all(yield func(*stream) bool) {
	for st := u.first; st != nil; {
		next := st.next
		if !yield(st) {
			return
		}
		st = next
	}
}

// The kinds of stream. A transfer ends by itself: it counts against maxUnderWay, and not against the
// account's limit of streams.
const (
	websocket = "websocket"
	events    = "events"
	transfer  = "transfer"
)

// stream is one registered request. caller, kind and the list are guarded by Streams.mu while it is.
type stream struct {
	caller     *caller.Caller
	route      vexa.Route
	method     string
	path       string
	from       string // the client's address
	kind       string
	ends       ender
	prev, next *stream
	look       spoke
}

// ender ends a stream. cutShort may be called from any goroutine while the stream is registered; it is
// idempotent and does not block.
type ender interface{ cutShort(why *ending) }

// ending is why a stream was ended early. It is the cause of its context.
type ending struct {
	code exchange.Code // for the log
	// status code of the WebSocket's close frame (RFC 6455 section 7.4); 4401 and 4503 are Vexa's own (V14)
	closeCode uint16
	reason    string // in the close frame; at most 123 bytes
}

func (e *ending) Error() string { return e.reason }

var (
	accessEnded = &ending{
		"unauthenticated", closeUnauthorized, "Your sign-in or your access to Vexa has ended.",
	}
	accessShrunk = &ending{
		"scope_missing", closeUnauthorized, "Your access to Vexa does not include this any more.",
	}
	storeDown = &ending{"store_unavailable", 4503, "Your sign-in cannot be checked right now. Please " +
		"connect again in a moment."}
	keyRefused = &ending{
		"vexa_key_refused", 4503, "Vexa did not take the key for this connection. Please connect again.",
	}
	stopping = &ending{"", 1001, "The service is restarting. Please connect again."}
)

// NewStreams returns an empty register; limit is the greatest number of streams of an account.
func NewStreams(limit int) *Streams {
	return &Streams{
		byAccount: map[string]underWay{}, count: map[string]int{}, doubts: newDoubts(), limit: limit,
	}
}

// cutBy returns why a stream was cut short, from its context.
func cutBy(ctx context.Context) (*ending, bool) { return errors.AsType[*ending](context.Cause(ctx)) }

// Changes tells whether callers of an account were dropped since a number that it gave. *caller.Identifier
// implements it.
type Changes interface {
	ChangedSince(account string, number int64) bool
}

// register adds a stream to the register; since is the number of before its caller was authenticated. A
// revocation of the account since then may not have known of the stream: the account is rechecked.
func (s *Streams) register(st *stream, changes Changes, since int64) error {
	c := st.caller // st.caller may be replaced once the stream is registered
	if err := s.add(st); err != nil {
		return err
	}
	if changes.ChangedSince(c.Account.ID, since) { // asked when every later revocation finds the stream
		s.Doubt(c.Account.ID)
	}
	if c.Ended() { // revoked between authentication and now
		s.remove(st)
		return exchange.Refuse("unauthenticated", "")
	}
	return nil
}

// add adds a stream, up to the account's limits (S12).
func (s *Streams) add(st *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := st.caller.Account.ID
	open := s.byAccount[account]
	switch {
	case open.n >= maxUnderWay:
		return exchange.Refuse("rate_limited", "Too many requests are under way at a time.")
	case st.kind == transfer:
	case s.closed:
		return exchange.Refuse("store_unavailable", stopping.reason)
	case !s.hasRoom(open, st):
		return errTooManyStreams
	}
	if st.next = open.first; st.next != nil {
		st.next.prev = st
	}
	s.byAccount[account] = underWay{st, open.n + 1}
	s.count[st.kind]++
	s.wheel.put(st)
	if st.kind == websocket {
		s.sockets.Add(1)
	}
	return nil
}

var errTooManyStreams = exchange.Refuse("rate_limited", "Too many streams are open at a time.")

// hasRoom reports whether an account may have one more stream. All its programs together leave a quarter of
// the limit to its browsers.
func (s *Streams) hasRoom(open underWay, st *stream) bool {
	all, programs := 0, 0
	for other := range open.all {
		if other.kind != transfer {
			all++
			if isProgram(other) {
				programs++
			}
		}
	}
	return all < s.limit && (!isProgram(st) || programs < s.limit-s.limit/4)
}

func isProgram(st *stream) bool { return st.caller.Credential != caller.BySession }

// becomes changes the kind of a stream, once the gateway's answer shows it: a transfer that lasts, a
// WebSocket that does not open.
func (s *Streams) becomes(st *stream, kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.kind == transfer && !s.hasRoom(s.byAccount[st.caller.Account.ID], st) {
		return errTooManyStreams
	}
	if st.kind == websocket {
		s.sockets.Done()
	}
	s.count[st.kind]--
	s.count[kind]++
	st.kind = kind
	return nil
}

// callerOf returns the caller of a registered stream as they were last read.
func (s *Streams) callerOf(st *stream) *caller.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.caller
}

func (s *Streams) remove(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := st.caller.Account.ID
	open := s.byAccount[account]
	if st.prev != nil {
		st.prev.next = st.next
	} else {
		open.first = st.next
	}
	if st.next != nil {
		st.next.prev = st.prev
	}
	st.prev, st.next = nil, nil
	s.count[st.kind]--
	s.wheel.remove(st)
	if open.n--; open.n > 0 {
		s.byAccount[account] = open
	} else {
		delete(s.byAccount, account)
	}
	if st.kind == websocket {
		s.sockets.Done()
	}
}

// End ends the streams of an account: those of one credential, or all when id is empty.
func (s *Streams) End(account, id string) {
	s.cut(account, accessEnded, func(st *stream) bool { return id == "" || st.caller.CredentialID == id })
}

// EndOf ends the streams of one caller.
func (s *Streams) EndOf(c *caller.Caller) {
	s.cut(c.Account.ID, accessEnded, func(st *stream) bool { return st.caller == c })
}

// Keep ends those streams of a caller that their view of now does not cover, and sets the caller of the
// others to the one that was read again.
func (s *Streams) Keep(was, now *caller.Caller, v *caller.View) {
	s.cut(was.Account.ID, accessShrunk, func(st *stream) bool {
		return st.caller == was && !st.covered(v)
	})
	s.replaceCaller(was, now)
}

// covered reports whether a view still allows the stream. A route that is not in the table needs no scope
// here, as when the request was let through.
func (st *stream) covered(v *caller.View) bool {
	known := st.route.Pattern != ""
	return (!known || caller.Covers(v.Scopes, st.route)) &&
		caller.Closed(v.Decision.Grant.DenyRoutes, st.method, st.path, st.route) == ""
}

// cut ends the streams of an account for which ends is true.
func (s *Streams) cut(account string, why *ending, ends func(*stream) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byAccount[account].all {
		if ends(st) {
			st.ends.cutShort(why)
		}
	}
}

// EndAll ends every stream because the store has been away beyond its grace (S5).
func (s *Streams) EndAll() {
	s.each(func(st *stream) { st.ends.cutShort(storeDown) })
}

// Close ends every WebSocket and event stream, refuses new ones, and waits until the WebSockets have ended:
// at most closeTimeout. Transfers end by themselves, and http.Server.Shutdown waits for them.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.each(func(st *stream) {
		if st.kind != transfer {
			st.ends.cutShort(stopping)
		}
	})
	s.sockets.Wait()
}

// Sweep looks at the streams that are due, which is each of them once a minute: it ends those whose
// credential has expired, marks for another look those whose caller is due for one, and those that could not
// be looked at, and reports the others to used.
func (s *Streams) Sweep(now time.Time, used func(c *caller.Caller, address string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubts.retry()
	s.wheel.turn(now, func(st *stream) {
		c := st.caller
		switch {
		case !c.Expires.IsZero() && !now.Before(c.Expires):
			st.ends.cutShort(accessEnded)
			return
		case !c.Until.IsZero() && !now.Before(c.Until):
			s.doubts.due(c.Account.ID)
		}
		used(c, st.from)
	})
}

// Callers returns the callers of an account's streams, each once.
func (s *Streams) Callers(account string) []*caller.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[*caller.Caller]bool)
	for st := range s.byAccount[account].all {
		all[st.caller] = true
	}
	return slices.Collect(maps.Keys(all))
}

// replaceCaller sets the caller of a caller's streams to the one that was read again.
func (s *Streams) replaceCaller(was, now *caller.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byAccount[was.Account.ID].all {
		if st.caller == was {
			s.wheel.remove(st)
			st.caller = now
			s.wheel.put(st)
		}
	}
}

// Count returns how many streams of a kind are open.
func (s *Streams) Count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[kind]
}

func (s *Streams) each(do func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, open := range s.byAccount {
		for st := range open.all {
			do(st)
		}
	}
}
