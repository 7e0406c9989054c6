package proxy

import (
	"maps"
	"slices"
	"sync"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa"
)

// streams is the register of WebSockets and event streams that are open: those that must end when access does (S5).
type streams struct {
	mu        sync.Mutex
	byAccount map[string]map[*stream]struct{}
	doubtful  map[string]struct{} // accounts whose grant may have shrunk
	rules     *mapping.Rules      // under which nothing is in doubt
	limit     int                 // per account
}

type stream struct {
	caller *live
	route  vexa.Route
	kind   string // websocket | events
	cut    func() // ends it, from any goroutine, any number of times
}

func newStreams(limit int) *streams {
	return &streams{byAccount: make(map[string]map[*stream]struct{}), doubtful: make(map[string]struct{}), limit: limit}
}

// add registers a stream of an account; it is refused beyond the limit (S12).
func (s *streams) add(account string, st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.byAccount[account]
	if len(open) >= s.limit {
		return false
	}
	if open == nil {
		open = make(map[*stream]struct{})
		s.byAccount[account] = open
	}
	open[st] = struct{}{}
	return true
}

func (s *streams) remove(account string, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byAccount[account], st)
	if len(s.byAccount[account]) == 0 {
		delete(s.byAccount, account)
		delete(s.doubtful, account)
	}
}

// cut ends those of an account's streams that ends says.
func (s *streams) cut(account string, ends func(*stream) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byAccount[account] {
		if ends(st) {
			st.cut()
		}
	}
}

// cutAll ends every stream.
func (s *streams) cutAll() {
	s.each(func(st *stream) { st.cut() })
}

// sweep ends the streams whose sessions have come to their end, and counts the others as use.
func (s *streams) sweep(now time.Time, used func(*live)) {
	s.each(func(st *stream) {
		if !now.Before(st.caller.session.ExpiresAt) {
			st.cut()
			return
		}
		used(st.caller)
	})
}

// count returns how many streams of a kind are open.
func (s *streams) count(kind string) int {
	n := 0
	s.each(func(st *stream) {
		if st.kind == kind {
			n++
		}
	})
	return n
}

func (s *streams) each(do func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, open := range s.byAccount {
		for st := range open {
			do(st)
		}
	}
}

// doubt notes that an account's grant may have shrunk.
func (s *streams) doubt(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byAccount[account]) > 0 {
		s.doubtful[account] = struct{}{}
	}
}

// doubtAll notes it of all accounts.
func (s *streams) doubtAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for account := range s.byAccount {
		s.doubtful[account] = struct{}{}
	}
}

// inDoubt returns the accounts whose streams must be looked at again, each once: those noted, and all when the rules are not
// those of last time.
func (s *streams) inDoubt(rules *mapping.Rules) []string {
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
