package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"vexa-sso/mapping"
)

const (
	maxLiveSessions = 20_000
	touchEvery      = time.Minute // how exact last-seen is
)

// live is a session that is in use on this replica, with all that a request needs so that a warm one asks nobody.
type live struct {
	session Session
	account mapping.Account

	alone bool         // the provider is asked about the account again without the person
	asked atomic.Int64 // Unix seconds of when this session was last sent to the provider for that, as far as known here

	seen    atomic.Int64 // Unix seconds of the last request, as far as touched
	ended   atomic.Bool  // revoked: set before anything else happens
	view    atomic.Pointer[view]
	limiter *rate.Limiter // nil: no limit
}

// view is what the rules said about a live session's account. It holds as long as the rules are the same.
type view struct {
	rules    *mapping.Rules
	decision mapping.Decision
	matched  string // the names of the rules that matched, for the log
}

// liveSessions finds the session that a cookie stands for: by the hash of the cookie as it came, so that a warm request pays
// for neither codec nor database.
type liveSessions struct {
	byCookie *lru.Cache[[32]byte, *live]
	loading  singleflight.Group
	load     func(ctx context.Context, r *http.Request) (*live, error)

	// epoch counts what was dropped. A load that saw it move may have read what is no longer true, and reads again.
	epoch atomic.Int64

	mu      sync.Mutex
	touched map[string]time.Time // last-seen times to be written, by session id
}

func newLiveSessions(load func(context.Context, *http.Request) (*live, error)) *liveSessions {
	cache, err := lru.New[[32]byte, *live](maxLiveSessions)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &liveSessions{byCookie: cache, load: load, touched: make(map[string]time.Time)}
}

// find returns the session of a cookie, from memory where it can. mapping.ErrNotFound says that there is none.
func (s *liveSessions) find(r *http.Request, cookie string) (*live, error) {
	hash := sha256.Sum256([]byte(cookie))
	if l, ok := s.byCookie.Get(hash); ok && !l.ended.Load() {
		return l, nil
	}
	return s.reload(r, hash)
}

// reload reads the session of a cookie from the store, once for all who wait for it.
func (s *liveSessions) reload(r *http.Request, hash [32]byte) (*live, error) {
	for {
		epoch := s.epoch.Load()
		// Whoever asks first reads for all; their going away must not fail the others. Nobody joins a read that began before
		// something was dropped: what it brings may have been true only then.
		flight := string(binary.BigEndian.AppendUint64(hash[:], uint64(epoch)))
		found, err, _ := s.loading.Do(flight, func() (any, error) { return s.load(context.WithoutCancel(r.Context()), r) })
		if err != nil {
			return nil, err
		}
		if s.epoch.Load() != epoch {
			continue
		}
		l := found.(*live)
		s.byCookie.Add(hash, l)
		if s.epoch.Load() == epoch && !l.ended.Load() {
			return l, nil
		}
		s.byCookie.Remove(hash)
	}
}

// forget drops the session of a cookie from memory.
func (s *liveSessions) forget(cookie string) {
	s.byCookie.Remove(sha256.Sum256([]byte(cookie)))
}

// end ends sessions of an account: one of them, or all when session is empty.
func (s *liveSessions) end(account, session string) {
	s.drop(account, session, func(l *live) { l.ended.Store(true) })
}

// refresh forgets what was remembered of an account's sessions, so that the next request looks again.
func (s *liveSessions) refresh(account string) { s.drop(account, "", func(*live) {}) }

// refreshAll forgets everything.
func (s *liveSessions) refreshAll() {
	s.epoch.Add(1)
	s.byCookie.Purge()
}

func (s *liveSessions) drop(account, session string, each func(*live)) {
	s.epoch.Add(1)
	for _, hash := range s.byCookie.Keys() {
		l, ok := s.byCookie.Peek(hash)
		if !ok || l.session.AccountID != account || (session != "" && l.session.ID != session) {
			continue
		}
		each(l)
		s.byCookie.Remove(hash)
	}
}

// touch notes that a session was used, at most once a minute.
func (s *liveSessions) touch(l *live, now time.Time) {
	last := l.seen.Load()
	if now.Unix()-last < int64(touchEvery/time.Second) || !l.seen.CompareAndSwap(last, now.Unix()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched[l.session.ID] = now
}

// flush writes the last-seen times that have gathered. What cannot be written now is kept for the next time.
func (s *liveSessions) flush(ctx context.Context, store SessionStore) error {
	s.mu.Lock()
	batch := s.touched
	s.touched = make(map[string]time.Time)
	s.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := store.TouchSessions(ctx, batch)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range batch {
		if s.touched[id].Before(at) {
			s.touched[id] = at
		}
	}
	return err
}

// authenticate finds who a cookie stands for, and that it still stands for them.
func (p *Proxy) authenticate(r *http.Request, cookie string, now time.Time) (*live, error) {
	if !p.store.Usable() {
		return nil, fail("store_unavailable", nil)
	}
	l, err := p.live.find(r, cookie)
	if err == nil && p.expired(l, now) {
		// Another replica may have seen it since: the store knows.
		p.live.forget(cookie)
		l, err = p.live.find(r, cookie)
	}
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	case err != nil:
		return nil, asProblem(err)
	case p.expired(l, now):
		p.live.forget(cookie)
		return nil, refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	}
	p.live.touch(l, now)
	if l.limiter != nil && !l.limiter.AllowN(now, 1) {
		return nil, refuse("rate_limited", "")
	}
	return l, nil
}

func (p *Proxy) expired(l *live, now time.Time) bool {
	return !now.Before(l.session.ExpiresAt) || now.Sub(time.Unix(l.seen.Load(), 0)) > p.cfg.Session.Idle
}

// loadLive is how a session comes from the store into memory.
func (p *Proxy) loadLive(ctx context.Context, r *http.Request) (*live, error) {
	session, err := p.cookies.session(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	account, alone, err := p.accounts.Proven(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	l := &live{session: session, account: account, alone: alone}
	l.seen.Store(session.LastSeen.Unix())
	if perSecond := p.cfg.Limits.RequestsPerSecond; perSecond > 0 {
		l.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	return l, nil
}

// see returns what the rules of now say about a live session.
func (p *Proxy) see(l *live) *view {
	rules := p.rules.Current()
	if v := l.view.Load(); v != nil && v.rules == rules {
		return v
	}
	v := &view{rules: rules, decision: p.accounts.Decide(l.account)}
	v.matched = strings.Join(v.decision.Matched(), ",")
	p.metrics.decisions.WithLabelValues(decisionResult(v.decision)).Inc()
	l.view.Store(v)
	return v
}

func decisionResult(d mapping.Decision) string {
	if d.Allowed {
		return "allowed"
	}
	return d.Code
}
