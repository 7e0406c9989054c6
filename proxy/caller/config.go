package caller

import "time"

// Config is what there is to know of credentials.
type Config struct {
	Session SessionConfig
	Tokens  Tokens

	// RequestsPerSecond is how many requests one session or token may make, with a burst of as much
	// again; 0: no limit of ours.
	RequestsPerSecond float64
}

// SessionConfig is how long a browser stays signed in.
type SessionConfig struct {
	Idle     time.Duration `yaml:"idle"`     // without a request; default 8h
	Lifetime time.Duration `yaml:"lifetime"` // in all; default 24h

	// Renew is how long the provider's word about a person counts before it is asked again; default 15m. In
	// the background where the provider lets us; else when the person next opens a page.
	Renew time.Duration `yaml:"renew"`
}

// Tokens are the rules for what programs show instead of a cookie.
type Tokens struct {
	MaxLifetime time.Duration `yaml:"max_lifetime"` // of a token that we issue; default 2160h

	// MaxOffline is how long a token that we issued goes on working after the provider last vouched for its
	// owner; default 24h. Then it pauses until the provider does so again.
	MaxOffline time.Duration `yaml:"max_offline"`

	// NativeKeys is what becomes of a Vexa key that a program still shows: deny (default) or migrate.
	NativeKeys string `yaml:"native_keys"`
}

// Values of Tokens.NativeKeys.
const (
	NativeKeysDeny    = "deny"    // refused, with words on how to get a token
	NativeKeysMigrate = "migrate" // goes on as its user's account, for the weeks of moving over
)
