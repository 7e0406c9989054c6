package caller

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	failuresPerSecond = 10 // from one address, with a burst of …
	failuresBurst     = 50
	maxAddresses      = 10_000 // addresses in the LRU
)

// failures is a rate limiter of invalid credentials by address (S12): each that is not cached is looked up in
// the store or verified, and anybody can make up as many as they like. Cached callers are served whatever
// else comes from the same address.
type failures struct {
	byAddress *lru.Cache[string, *rate.Limiter]
}

func newFailures() *failures {
	byAddress, err := lru.New[string, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &failures{byAddress}
}

// tooMany reports whether so many invalid credentials came from an address lately that no unknown one is
// looked up now.
func (f *failures) tooMany(address string, now time.Time) bool {
	limiter, ok := f.byAddress.Get(addressKey(address))
	return ok && limiter.TokensAt(now) < 1
}

// count counts invalid credentials from an address.
func (f *failures) count(address string, now time.Time, many int) {
	at := addressKey(address)
	limiter, ok := f.byAddress.Get(at)
	if !ok {
		limiter = rate.NewLimiter(failuresPerSecond, failuresBurst)
		f.byAddress.Add(at, limiter)
	}
	for range many { // one by one: AllowN(now, many) takes nothing when there are fewer left
		limiter.AllowN(now, 1)
	}
}

// addressKey returns the key of the limiter of an address: an IPv6 /64 counts as one.
func addressKey(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() || addr.Is4In6() {
		return address
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
