package authserver

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// bounds are the rate limiters of this replica (S12).
type bounds struct {
	unknownValues *keyedLimiter // codes and tokens that the store does not know, by address
	devices       *keyedLimiter // device authorization requests, by network
	earlyPolls    *keyedLimiter // polls before their interval was over, by device code
	answers       *keyedLimiter // to consent pages, by account: each is stored
	// wrong user codes, by session and account: who guesses is signed in, and shares an address with
	// colleagues
	wrongUserCodes *keyedLimiter
}

func newBounds() bounds {
	return bounds{
		unknownValues: newKeyedLimiter(time.Second/10, 100),
		// so at most 50 are open: 20, and 30 more until those expire
		devices:        newKeyedLimiter(deviceLifetime/30, 20),
		earlyPolls:     newKeyedLimiter(deviceInterval, 5),
		answers:        newKeyedLimiter(6*time.Second, 20),
		wrongUserCodes: newKeyedLimiter(time.Minute, 10),
	}
}

// maxKeys is the size of the LRU of a keyedLimiter.
const maxKeys = 10_000

// keyedLimiter is a rate limiter for each of many keys: a burst at once, and then one each every.
type keyedLimiter struct {
	every time.Duration
	burst int

	mu       sync.Mutex
	limiters *lru.Cache[string, *rate.Limiter]
}

func newKeyedLimiter(every time.Duration, burst int) *keyedLimiter {
	known, err := lru.New[string, *rate.Limiter](maxKeys)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &keyedLimiter{every: every, burst: burst, limiters: known}
}

// wait returns how long until each of the keys has a token, without taking any; zero when all have.
func (l *keyedLimiter) wait(now time.Time, keys ...string) (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		if limiter, ok := l.limiters.Get(key); ok {
			missing := 1 - limiter.TokensAt(now)
			longest = max(longest, time.Duration(missing*float64(l.every)))
		}
	}
	return longest
}

// take takes a token of each of the keys.
func (l *keyedLimiter) take(now time.Time, keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		limiter, ok := l.limiters.Get(key)
		if !ok {
			limiter = rate.NewLimiter(rate.Every(l.every), l.burst)
			l.limiters.Add(key, limiter)
		}
		limiter.AllowN(now, 1)
	}
}

// addressKey returns the key of an address: an IPv6 /64 is one customer's and counts as one.
func addressKey(address string) string { return network(address, 64) }

// siteKey returns the key of an address where somebody could have very many /64: a customer may be given a
// /48.
func siteKey(address string) string { return network(address, 48) }

// network returns the IPv6 network of so many bits that an address is in, or the IPv4 address itself.
func network(address string, bits int) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Unmap().Is4() {
		return address
	}
	network, _ := addr.WithZone("").Prefix(bits) // fails only for more bits than there are
	return network.String()
}
