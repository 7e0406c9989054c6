package vexatest

import (
	"context"
	"net/http"
	"strings"
	"sync"
)

// Effect is what a Fault does to a call.
type Effect int

const (
	// FailBefore answers 500, and nothing has happened. FailAfter answers 500 although all has.
	FailBefore Effect = iota
	FailAfter

	// CutBefore closes the connection, and nothing has happened. CutAfter does so when
	// all has: the answer is lost.
	CutBefore
	CutAfter

	// HoldBefore waits for Fault.Until before anything happens, HoldAfter before the answer is sent. If the
	// caller leaves meanwhile, it is CutBefore or CutAfter.
	HoldBefore
	HoldAfter

	// BetweenLookupAndInsert waits for Fault.Until where POST /admin/users has found that there is no such
	// user, and is about to insert one. Only CreateUser has this place.
	BetweenLookupAndInsert
)

// Fault says what goes wrong, and with which calls.
type Fault struct {
	Part   Part   // AdminAPI (default), whoever calls it, or Gateway
	Method string // empty for any
	Path   string // prefix of the path; empty for any
	Times  int    // how often; 0 is once, negative until Heal

	Effect Effect
	Until  <-chan struct{} // of the holding effects
	Status int             // of the failing effects, instead of 500
	Body   string          // with Status: JSON
}

// Injected is a fault at work.
type Injected struct {
	fault   Fault
	faults  *faults
	left    int
	hits    int
	changed chan struct{}
}

type faults struct {
	mu  sync.Mutex
	all []*Injected
}

func newFaults() *faults { return &faults{} }

// Inject lets a fault happen to the next calls that match. Of several that match a call, the oldest
// with times left takes it.
func (s *Server) Inject(f Fault) *Injected {
	if f.Part == "" {
		f.Part = AdminAPI
	}
	if f.Times == 0 {
		f.Times = 1
	}
	i := &Injected{fault: f, faults: s.faults, left: f.Times, changed: make(chan struct{})}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = append(s.faults.all, i)
	return i
}

// Hits returns how many calls the fault has struck: for the effects with After in their
// names, when all had happened.
func (i *Injected) Hits() int {
	i.faults.mu.Lock()
	defer i.faults.mu.Unlock()
	return i.hits
}

// Wait returns when the fault has struck n calls.
func (i *Injected) Wait(ctx context.Context, n int) error {
	for {
		i.faults.mu.Lock()
		hits, changed := i.hits, i.changed
		i.faults.mu.Unlock()
		if hits >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Heal ends the fault for calls to come.
func (i *Injected) Heal() {
	i.faults.mu.Lock()
	defer i.faults.mu.Unlock()
	i.left = 0
}

// Heal ends all faults for calls to come, and sets every part Up.
func (s *Server) Heal() {
	s.faults.mu.Lock()
	for _, i := range s.faults.all {
		i.left = 0
	}
	s.faults.all = nil
	s.faults.mu.Unlock()
	for _, p := range []Part{AdminAPI, Gateway, MeetingAPI, AgentAPI, MCP, Database, Cache} {
		s.Set(p, Up)
	}
}

// take finds the fault that this call meets.
func (f *faults) take(part Part, c *call, atInsert bool) *Injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		if i.left == 0 || !i.fault.matches(part, c) ||
			(i.fault.Effect == BetweenLookupAndInsert) != atInsert {
			continue
		}
		i.left--
		return i
	}
	return nil
}

// hit notes that a call has come to where the fault strikes.
func (i *Injected) hit() {
	i.faults.mu.Lock()
	defer i.faults.mu.Unlock()
	i.hits++
	close(i.changed)
	i.changed = make(chan struct{})
}

func (f Fault) matches(part Part, c *call) bool {
	return f.Part == part && (f.Method == "" || f.Method == c.method) && strings.HasPrefix(c.path, f.Path)
}

// around answers a call by handle, unless a fault has its way.
func (f *faults) around(part Part, c *call, closing context.Context, handle func() answer) (answer, error) {
	i := f.take(part, c, false)
	if i == nil {
		return handle(), nil
	}
	var done answer
	if i.fault.Effect.after() {
		done = handle()
	}
	i.hit()
	switch i.fault.Effect {
	case FailBefore, FailAfter:
		return i.fault.failure(), nil
	case HoldBefore:
		if err := waitFor(c.ctx, i.fault.Until, closing); err != nil {
			return answer{}, err
		}
		return handle(), nil
	case HoldAfter:
		return done, waitFor(c.ctx, i.fault.Until, closing)
	default:
		return answer{}, errNoAnswer
	}
}

// after says whether the fault strikes when all has happened.
func (e Effect) after() bool { return e == FailAfter || e == CutAfter || e == HoldAfter }

func (f Fault) failure() answer {
	if f.Status == 0 {
		return crash()
	}
	a := answer{status: f.Status, contentType: jsonType, body: []byte(f.Body)}
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		a = a.with("Retry-After", "1")
	}
	return a
}

// pauseAtInsert is where BetweenLookupAndInsert waits.
func (f *faults) pauseAtInsert(c *call, closing context.Context) {
	if i := f.take(AdminAPI, c, true); i != nil {
		i.hit()
		_ = waitFor(c.ctx, i.fault.Until, closing)
	}
}
