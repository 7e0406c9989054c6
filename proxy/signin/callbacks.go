package signin

import (
	"time"

	"vexa-sso/proxy/caller"
)

const (
	maxCallbacks = 64 // callbacks that are handled at the same time
	maxSessions  = 50 // of one account: the oldest ends
)

// callbacks bounds what callbacks cost (S12): anybody can start a sign-in and come back with whatever they
// like, and checking it asks the provider with our client authentication.
type callbacks struct {
	slots chan struct{}

	// failed are those that the provider refused, by address. An address that makes answers up then takes
	// turns, and so asks the provider one thing at a time; a good answer from there gets its turn.
	failed *caller.Failures

	// strangers and people bound what is audited in the store of refused sign-ins, which it would otherwise
	// fill: of all whom the provider did not name, and of each of those whom it did. The access log and the
	// metrics have them all.
	strangers, people *caller.Failures
}

func newCallbacks() *callbacks {
	return &callbacks{
		slots: make(chan struct{}, maxCallbacks),
		failed: caller.NewFailures(caller.FailuresConfig{
			PerSecond: 0.5, Burst: 20, AtOnce: 1, Waiting: 30, Patience: 10 * time.Second,
		}),
		strangers: caller.NewFailures(caller.FailuresConfig{PerSecond: 5, Burst: 100}),
		people:    caller.NewFailures(caller.FailuresConfig{PerSecond: 1.0 / 60, Burst: 10}),
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

// mayAudit reports whether a refused sign-in is audited in the store: of a person by account or subject, of
// somebody unknown by neither.
func (c *callbacks) mayAudit(who string, now time.Time) bool {
	of := c.people
	if who == "" {
		of = c.strangers
	}
	if of.TooMany(who, now) {
		return false
	}
	of.Count(who, now, 1)
	return true
}
