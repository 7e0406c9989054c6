package caller

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	failuresPerSecond = 10 // that one address may cause, with a burst of …
	failuresBurst     = 50
	maxAddresses      = 10_000 // addresses that are remembered
)

// failures bounds what it costs to try credentials (S12): each that nobody has seen before is looked for in
// the store or verified, and anybody can make up as many as they like. What is in memory is served whatever
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

// tooMany reports whether so many credentials from an address were none of late that no other is looked at
// now.
func (f *failures) tooMany(address string, now time.Time) bool {
	limiter, ok := f.byAddress.Get(addressKey(address))
	return ok && limiter.TokensAt(now) < 1
}

// count counts so many that were none.
func (f *failures) count(address string, now time.Time, many int) {
	at := addressKey(address)
	limiter, ok := f.byAddress.Get(at)
	if !ok {
		limiter = rate.NewLimiter(failuresPerSecond, failuresBurst)
		f.byAddress.Add(at, limiter)
	}
	for range many { // one by one, or too many at once would count for none
		limiter.AllowN(now, 1)
	}
}

// addressKey is an address with all that its owner has: of IPv6 a whole /64.
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
