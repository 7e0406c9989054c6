package signin

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	maxCallbacks = 64 // sign-ins that are being finished at one time

	// refusedAudits and refusedBurst are how many failed sign-ins a second are written to the store, where
	// strangers' failures would otherwise fill it. The log and the metrics have them all.
	refusedAudits = 5
	refusedBurst  = 100
)

// callbacks bounds what answers to sign-ins cost (S12): anybody can start a sign-in and come back with
// whatever they like, and finding out asks the provider with our client authentication.
type callbacks struct {
	slots  chan struct{}
	audits *rate.Limiter
}

func newCallbacks() *callbacks {
	return &callbacks{
		slots: make(chan struct{}, maxCallbacks), audits: rate.NewLimiter(refusedAudits, refusedBurst),
	}
}

// begin takes a slot; where there is none, ok is false.
func (c *callbacks) begin() (done func(), ok bool) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, true
	default:
		return nil, false
	}
}

// mayAudit reports whether a failed sign-in of somebody unknown is written to the store.
func (c *callbacks) mayAudit(now time.Time) bool { return c.audits.AllowN(now, 1) }
