package mapping

import (
	"sync"
	"time"
)

// providerBackoff remembers which providers asked to be left alone (Retry-After) or did not answer, so that a
// provider that is down is asked about one person and not about everybody.
type providerBackoff struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// pause has a provider left alone until then.
func (b *providerBackoff) pause(provider string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = map[string]time.Time{}
	}
	b.until[provider] = until
}

// paused reports whether the provider is to be left alone at this moment.
func (b *providerBackoff) paused(provider string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.until[provider])
}
