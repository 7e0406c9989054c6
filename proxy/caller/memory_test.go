package caller

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
)

// S5: what is ended while it is being read is not served: whoever read it looks again.
func TestEndedWhileRead(t *testing.T) {
	t.Parallel()
	m, reads := newMemory(), 0
	load := func(context.Context) (*Caller, error) {
		if reads++; reads == 1 {
			m.end("ada", "ses_1") // the revocation arrives between the store's answer and the cache
			return callerOf("ada", "ses_1"), nil
		}
		return nil, mapping.ErrNotFound
	}
	if c, err := m.sessions.load(t.Context(), cookieKey("cookie"), load); !errors.Is(err,
		mapping.ErrNotFound) {
		t.Errorf("found %v, %v", c, err)
	}
	if reads != 2 {
		t.Errorf("read %d times", reads)
	}
}

// S5: between the moment that a caller comes to the cache and the one when it is known that nothing ended on
// the way, nobody is served by it.
func TestUnsettledIsNotServed(t *testing.T) {
	t.Parallel()
	m, key := newMemory(), cookieKey("cookie")
	c := callerOf("ada", "ses_1")
	m.sessions.entries.Add(key, c, c.Account.ID, c.size())
	if _, ok := m.sessions.get(key, time.Now()); ok {
		t.Error("served before it is known")
	}
	m.sessions.entries.Remove(key)
	found, err := m.sessions.load(t.Context(), key, func(context.Context) (*Caller, error) {
		return callerOf("ada", "ses_1"), nil
	})
	if cached, ok := m.sessions.get(key, time.Now()); err != nil || !ok || cached != found {
		t.Errorf("%v, %v", ok, err)
	}
}

// S5, D3: nobody takes what was read before an end, who joined the read after it; nor is it remembered.
func TestEndedWhileOthersRead(t *testing.T) {
	t.Parallel()
	reading, answer := make(chan struct{}), make(chan struct{})
	var reads atomic.Int32
	m := newMemory()
	load := func(context.Context) (*Caller, error) {
		if reads.Add(1) > 1 {
			return nil, mapping.ErrNotFound
		}
		close(reading) // what was read is on its way
		<-answer
		return callerOf("ada", "ses_1"), nil
	}
	found := make(chan error, 2)
	find := func() {
		_, err := m.sessions.load(t.Context(), cookieKey("cookie"), load)
		found <- err
	}
	go find()
	<-reading
	m.end("ada", "ses_1")
	go find()
	oidctest.WaitFor(t, "the other to join", func() bool { return m.sessions.lookups.waiting() == 2 })
	close(answer)
	for range 2 {
		if err := <-found; !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("found what had ended: %v", err)
		}
	}
	if _, err := m.sessions.load(t.Context(), cookieKey("cookie"), load); !errors.Is(err,
		mapping.ErrNotFound) {
		t.Errorf("it is still remembered: %v", err)
	}
}

// A refusal that was read before something was dropped, perhaps its reason, is not told to who came after it.
func TestOldRefusalIsNotTold(t *testing.T) {
	t.Parallel()
	reading, answer := make(chan struct{}), make(chan struct{})
	var reads atomic.Int32
	m := newMemory()
	load := func(context.Context) (*Caller, error) {
		if reads.Add(1) > 1 {
			return callerOf("ada", "ses_1"), nil
		}
		close(reading)
		<-answer
		return nil, mapping.ErrNotFound
	}
	first, second := make(chan error, 1), make(chan error, 1)
	find := func(found chan<- error) {
		_, err := m.sessions.load(t.Context(), cookieKey("cookie"), load)
		found <- err
	}
	go find(first)
	<-reading
	m.reload("ada") // she may sign in again
	go find(second)
	oidctest.WaitFor(t, "the other to join", func() bool { return m.sessions.lookups.waiting() == 2 })
	close(answer)
	if err := <-first; !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("who asked before: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("who asked after: %v", err)
	}
}

func (u *lookups) waiting() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range u.underWay {
		n += l.waiting
	}
	return n
}

// What is ended is gone from memory: one session, or all of an account's, and nobody else's.
func TestEndAndRefresh(t *testing.T) {
	t.Parallel()
	owners := map[string][2]string{"a": {"ada", "ses_1"}, "b": {"ada", "ses_2"}, "c": {"tim", "ses_3"}}
	m, reads := newMemory(), 0
	find := func(name string) *Caller {
		if c, ok := m.sessions.get(cookieKey(name), time.Time{}); ok {
			return c
		}
		c, err := m.sessions.load(t.Context(), cookieKey(name), func(context.Context) (*Caller, error) {
			reads++
			return callerOf(owners[name][0], owners[name][1]), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	warm := func() map[string]*Caller {
		return map[string]*Caller{"a": find("a"), "b": find("b"), "c": find("c")}
	}
	held := warm()
	if warm(); reads != 3 {
		t.Fatalf("a warm session was read again: %d reads", reads)
	}
	m.end("ada", "ses_1")
	if !held["a"].ended.Load() || held["b"].ended.Load() || held["c"].ended.Load() {
		t.Error("ending one session ended the wrong ones")
	}
	if warm(); reads != 4 {
		t.Errorf("after one ended: %d reads", reads)
	}
	m.end("ada", "")
	if !held["b"].ended.Load() || held["c"].ended.Load() {
		t.Error("ending an account ended the wrong ones")
	}
	if warm(); reads != 6 {
		t.Errorf("after the account ended: %d reads", reads)
	}
	held = warm()
	m.reload("tim")
	if held["c"].ended.Load() {
		t.Error("refreshing ended a session")
	}
	if warm(); reads != 7 {
		t.Errorf("after a refresh: %d reads", reads)
	}
}

// Last-seen times are written at most once a minute, and again when they could not be.
func TestTouch(t *testing.T) {
	t.Parallel()
	used := newLastUse()
	c := callerOf("ada", "ses_1")
	start := time.Unix(1_000_000, 0)
	c.seen.Store(start.Unix())
	store := &touchStore{fail: errors.New("away")}
	used.touch(c, "192.0.2.1", start.Add(59*time.Second))
	if err := used.flush(t.Context(), store, nil); err != nil || store.calls != 0 {
		t.Fatalf("written before a minute was over: %v, %d", err, store.calls)
	}
	used.touch(c, "192.0.2.1", start.Add(61*time.Second))
	used.touch(c, "192.0.2.1", start.Add(62*time.Second))
	if err := used.flush(t.Context(), store, nil); err == nil || store.calls != 1 {
		t.Fatalf("%v, %d", err, store.calls)
	}
	store.fail = nil
	if err := used.flush(t.Context(), store, nil); err != nil ||
		!store.seen["ses_1"].Equal(start.Add(61*time.Second)) {
		t.Errorf("%v, %v", err, store.seen)
	}
	if err := used.flush(t.Context(), store, nil); err != nil || store.calls != 2 {
		t.Errorf("written twice: %v, %d", err, store.calls)
	}
}

func callerOf(account, session string) *Caller {
	return &Caller{Credential: BySession, CredentialID: session, Account: mapping.Account{ID: account}}
}

type touchStore struct {
	SessionStore
	fail  error
	calls int
	seen  map[string]time.Time
}

func (s *touchStore) TouchSessions(_ context.Context, seen map[string]time.Time) error {
	s.calls++
	s.seen = seen
	return s.fail
}

// S18: what was not repeated is looked at again when it is to be forgotten, and what is forgotten already no
// more: a session would be read from the store for every request, until the provider tells again.
func TestForgottenIsNotReadAgain(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		kept map[string]time.Time
		want time.Time
	}{
		"nothing is kept": {},
		"the older of two": {
			map[string]time.Time{"groups": ago(23 * time.Hour), "roles": ago(time.Hour)}, now.Add(time.Hour),
		},
		"at this very moment": {map[string]time.Time{"groups": ago(24 * time.Hour)}, now},
		"forgotten":           {map[string]time.Time{"groups": ago(25 * time.Hour)}, time.Time{}},
		"one is forgotten": {
			map[string]time.Time{"groups": ago(25 * time.Hour), "roles": ago(time.Hour)},
			now.Add(23 * time.Hour),
		},
	} {
		if got := untilForgotten(c.kept, 24*time.Hour, now); !got.Equal(c.want) {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}
