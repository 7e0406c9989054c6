package proxy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config is what the HTTP edge needs to know.
type Config struct {
	// PublicURL is where browsers and programs reach the bridge. Every URL of ours is built from it, never from a request.
	PublicURL string `yaml:"public_url"`

	// TrustedProxies are the networks (CIDR) whose X-Forwarded-* count.
	TrustedProxies []string `yaml:"trusted_proxies"`

	Session SessionConfig `yaml:"session"`
	Tokens  Tokens        `yaml:"tokens"`
	CORS    CORS          `yaml:"cors"`
	Limits  Limits        `yaml:"limits"`
}

// SessionConfig is how long a browser stays signed in.
type SessionConfig struct {
	Idle     time.Duration `yaml:"idle"`     // without a request; default 8h
	Lifetime time.Duration `yaml:"lifetime"` // in all; default 24h

	// Renew is how long the provider's word about a person counts before it is asked again; default 15m. In the background where
	// the provider lets us; else when the person next opens a page.
	Renew time.Duration `yaml:"renew"`
}

// Tokens are the rules for what programs show instead of a cookie.
type Tokens struct {
	MaxLifetime time.Duration `yaml:"max_lifetime"` // of a token that we issue; default 2160h

	// MaxOffline is how long a token that we issued goes on working after the provider last vouched for its owner; default 24h. Then
	// it pauses until the provider does so again.
	MaxOffline time.Duration `yaml:"max_offline"`

	// NativeKeys is what becomes of a Vexa key that a program still shows: deny (default) or migrate.
	NativeKeys string `yaml:"native_keys"`
}

// Values of Tokens.NativeKeys.
const (
	NativeKeysDeny    = "deny"    // refused, with words on how to get a token
	NativeKeysMigrate = "migrate" // goes on as its user's account, for the weeks of moving over
)

// CORS lists the pages of others that may call with a credential of their own, never with our cookie.
type CORS struct {
	Origins []string `yaml:"origins"` // scheme, host and port, exactly as browsers send them
}

// Limits bound what one caller can take.
type Limits struct {
	// BodyReplay is how much of a request's body is kept so that the request can be sent again with a new key when the old one
	// turned out to be gone; default 64KiB.
	BodyReplay Size `yaml:"body_replay"`

	// StreamsPerAccount is how many WebSockets and event streams one account may hold open; default 20.
	StreamsPerAccount int `yaml:"streams_per_account"`

	// RequestsPerSecond is how many requests one session or token may make, with a burst of as much again; 0: no limit of ours.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
}

// Size is a number of bytes, written 512, 64KiB, 1MiB or 1GiB.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = strings.TrimSpace(rest), factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size: write bytes, or a number with KiB, MiB or GiB", text)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText writes a size in the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []struct {
		factor Size
		suffix string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s != 0 && s%u.factor == 0 {
			return fmt.Appendf(nil, "%d%s", s/u.factor, u.suffix), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}
