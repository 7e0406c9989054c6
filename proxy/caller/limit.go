package caller

import (
	"golang.org/x/time/rate"
)

// newLimiter returns the rate limiter of one credential; nil for no limit.
func (i *Identifier) newLimiter() *rate.Limiter {
	perSecond := i.cfg.RequestsPerSecond
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}
