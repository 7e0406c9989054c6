package oidc

import "time"

const (
	backoffFirst = time.Second
	backoffMost  = time.Minute
)

// backoff is an exponential backoff: the next attempt is due 1 s after the first failure, then after twice as
// long each time, up to a minute. The zero value is ready; its owner guards it.
type backoff struct {
	failures int
	until    time.Time
	err      *Error // of the last attempt; nil when it worked
}

// wait is how long until the next attempt is due; zero when it is.
func (b *backoff) wait(now time.Time) time.Duration {
	return max(0, b.until.Sub(now))
}

func (b *backoff) succeeded() { *b = backoff{} }

// failed puts the next attempt off, at least by what the provider asked for.
func (b *backoff) failed(now time.Time, err *Error) {
	pause := backoffMost
	if b.failures < 6 {
		pause = min(backoffFirst<<b.failures, backoffMost)
	}
	b.failures++
	b.err = err
	b.until = now.Add(max(pause, min(err.RetryAfter, backoffMost)))
}

// refusal is the last error, for a caller who comes too early; its RetryAfter is what is left of the wait.
func (b *backoff) refusal(now time.Time) *Error {
	e := *b.err
	e.RetryAfter = b.wait(now)
	return &e
}
