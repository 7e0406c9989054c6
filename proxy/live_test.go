package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping"
)

// S5: what is ended while it is being read is not served: whoever read it looks again.
func TestEndedWhileRead(t *testing.T) {
	t.Parallel()
	var cache *liveSessions
	reads := 0
	cache = newLiveSessions(func(context.Context, *http.Request) (*live, error) {
		if reads++; reads == 1 {
			cache.end("ada", "ses_1") // the revocation arrives between the store's answer and the cache
			return &live{session: Session{ID: "ses_1", AccountID: "ada"}}, nil
		}
		return nil, mapping.ErrNotFound
	})
	if l, err := cache.find(&http.Request{}, "cookie"); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("found %v, %v", l, err)
	}
	if reads != 2 {
		t.Errorf("read %d times", reads)
	}
}

// S5, D3: nor does anybody join a read that began before the end.
func TestEndedWhileOthersRead(t *testing.T) {
	t.Parallel()
	reading, answer := make(chan struct{}), make(chan struct{})
	var reads atomic.Int32
	cache := newLiveSessions(func(context.Context, *http.Request) (*live, error) {
		if reads.Add(1) > 1 {
			return nil, mapping.ErrNotFound
		}
		close(reading) // what was read is on its way
		<-answer
		return &live{session: Session{ID: "ses_1", AccountID: "ada"}}, nil
	})
	found := make(chan error, 2)
	find := func() {
		_, err := cache.find(&http.Request{}, "cookie")
		found <- err
	}
	go find()
	<-reading
	cache.end("ada", "ses_1")
	find() // does not wait for the first: it could only hear what was true before
	close(answer)
	for range 2 {
		if err := <-found; !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("found what had ended: %v", err)
		}
	}
	if _, err := cache.find(&http.Request{}, "cookie"); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("it is still remembered: %v", err)
	}
}

// What is ended is gone from memory: one session, or all of an account's, and nobody else's.
func TestEndAndRefresh(t *testing.T) {
	t.Parallel()
	sessions := map[string]Session{
		"a": {ID: "ses_1", AccountID: "ada"}, "b": {ID: "ses_2", AccountID: "ada"}, "c": {ID: "ses_3", AccountID: "tim"},
	}
	reads := 0
	cache := newLiveSessions(func(_ context.Context, r *http.Request) (*live, error) {
		reads++
		return &live{session: sessions[r.Host]}, nil
	})
	find := func(name string) *live {
		l, err := cache.find(&http.Request{Host: name}, name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	warm := func() map[string]*live {
		return map[string]*live{"a": find("a"), "b": find("b"), "c": find("c")}
	}
	held := warm()
	if warm(); reads != 3 {
		t.Fatalf("a warm session was read again: %d reads", reads)
	}
	cache.end("ada", "ses_1")
	if !held["a"].ended.Load() || held["b"].ended.Load() || held["c"].ended.Load() {
		t.Error("ending one session ended the wrong ones")
	}
	if warm(); reads != 4 {
		t.Errorf("after one ended: %d reads", reads)
	}
	cache.end("ada", "")
	if !held["b"].ended.Load() || held["c"].ended.Load() {
		t.Error("ending an account ended the wrong ones")
	}
	if warm(); reads != 6 {
		t.Errorf("after the account ended: %d reads", reads)
	}
	held = warm()
	cache.refresh("tim")
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
	cache := newLiveSessions(nil)
	l := &live{session: Session{ID: "ses_1"}}
	start := time.Unix(1_000_000, 0)
	l.seen.Store(start.Unix())
	store := &touchStore{fail: errors.New("away")}
	cache.touch(l, start.Add(59*time.Second))
	if err := cache.flush(t.Context(), store); err != nil || store.calls != 0 {
		t.Fatalf("written before a minute was over: %v, %d", err, store.calls)
	}
	cache.touch(l, start.Add(61*time.Second))
	cache.touch(l, start.Add(62*time.Second))
	if err := cache.flush(t.Context(), store); err == nil || store.calls != 1 {
		t.Fatalf("%v, %d", err, store.calls)
	}
	store.fail = nil
	if err := cache.flush(t.Context(), store); err != nil || !store.seen["ses_1"].Equal(start.Add(61*time.Second)) {
		t.Errorf("%v, %v", err, store.seen)
	}
	if err := cache.flush(t.Context(), store); err != nil || store.calls != 2 {
		t.Errorf("written twice: %v, %d", err, store.calls)
	}
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
