package vexatest

import (
	"context"
	"sync"
	"time"
)

// Part is one of the processes that a Vexa consists of.
type Part string

// The parts whose condition can be Set.
const (
	AdminAPI   Part = "admin-api"
	Gateway    Part = "gateway"
	MeetingAPI Part = "meeting-api"
	AgentAPI   Part = "agent-api"
	MCP        Part = "mcp"
	Database   Part = "postgresql" // down: the Admin API answers 500, and the gateway cannot validate
	Cache      Part = "redis"      // down: a 0.10 gateway validates every time
)

// Condition is how a part is doing.
type Condition int

// Up: it works. Down: connections to it are refused or cut at once. Hung: they are taken, and nothing comes
// back until the part is Set to something else or the caller gives up.
const (
	Up Condition = iota
	Down
	Hung
)

// How long the gateway waits for others.
const (
	authTimeout       = 5 * time.Second
	downstreamTimeout = 30 * time.Second
)

// parts keeps the condition of every part.
type parts struct {
	mu      sync.Mutex
	is      map[Part]Condition
	changed chan struct{}
}

func newParts() *parts { return &parts{is: make(map[Part]Condition), changed: make(chan struct{})} }

// Set puts a part into a condition. An AdminAPI or Gateway that goes Down takes its open connections with it.
func (s *Server) Set(p Part, to Condition) {
	s.parts.mu.Lock()
	s.parts.is[p] = to
	close(s.parts.changed)
	s.parts.changed = make(chan struct{})
	s.parts.mu.Unlock()
	switch p {
	case AdminAPI:
		s.admin.wire.refuse(to == Down)
	case Gateway:
		s.gateway.wire.refuse(to == Down)
	}
}

func (p *parts) condition(part Part) Condition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.is[part]
}

// await returns once the part is up, errNoAnswer if it is down, errTimeout if it hangs for
// longer than the caller waits.
func (p *parts) await(ctx context.Context, part Part, closing context.Context) error {
	for {
		p.mu.Lock()
		is, changed := p.is[part], p.changed
		p.mu.Unlock()
		switch is {
		case Up:
			return nil
		case Down:
			return errNoAnswer
		}
		if err := waitFor(ctx, changed, closing); err != nil {
			return err
		}
	}
}

// waitFor waits for a channel as long as the caller is there.
func waitFor(ctx context.Context, until <-chan struct{}, closing context.Context) error {
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return errTimeout
	case <-closing.Done():
		return errNoAnswer
	}
}

// within limits a context to a time that the Config's After measures.
func (s *Server) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	after := s.config.After(d)
	go func() {
		select {
		case <-after:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
