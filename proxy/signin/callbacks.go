package signin

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	maxCallbacks = 64 // callbacks that are handled at the same time

	// refusedAudits and refusedBurst limit how many failed sign-ins a second are audited in the store, which
	// strangers' failures would otherwise fill. The log and the metrics have them all.
	refusedAudits = 5
	refusedBurst  = 100
)

// callbacks bounds what callbacks cost (S12): anybody can start a sign-in and come back with whatever they
// like, and checking it asks the provider with our client authentication.
type callbacks struct {
	slots  chan struct{}
	audits *rate.Limiter
}

func newCallbacks() *callbacks {
	return &callbacks{
		slots: make(chan struct{}, maxCallbacks), audits: rate.NewLimiter(refusedAudits, refusedBurst),
	}
}

// begin takes a slot; ok is false where there is none.
func (c *callbacks) begin() (done func(), ok bool) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, true
	default:
		return nil, false
	}
}

// mayAudit reports whether a failed sign-in of somebody unknown is audited in the store.
func (c *callbacks) mayAudit(now time.Time) bool { return c.audits.AllowN(now, 1) }
