package caller

import "time"

// Config is the settings of authentication.
type Config struct {
	Session SessionConfig
	Tokens  Tokens

	// RequestsPerSecond is the rate limit of one session or token, which is its burst too; 0 is no limit.
	RequestsPerSecond float64
}

// SessionConfig is how long browser sessions last.
type SessionConfig struct {
	Idle     time.Duration `yaml:"idle"`     // timeout without a request; default 8h
	Lifetime time.Duration `yaml:"lifetime"` // absolute timeout; default 24h

	// Renew is the greatest age of what the provider last said about a person; default 15m. It is renewed in
	// the background where there is a refresh token, else silently (prompt=none) when the person next opens a
	// page.
	Renew time.Duration `yaml:"renew"`
}

// Tokens is the settings of the credentials of programs.
type Tokens struct {
	MaxLifetime time.Duration `yaml:"max_lifetime"` // of a token that we issue; default 2160h

	// MaxOffline is how long tokens work after the provider last confirmed their owner's access; default 24h.
	// After that they are paused until the provider does so again.
	MaxOffline time.Duration `yaml:"max_offline"`

	// NativeKeys says what happens to a Vexa key on a request: deny (default) or migrate.
	NativeKeys string `yaml:"native_keys"`
}

// Values of Tokens.NativeKeys.
const (
	NativeKeysDeny    = "deny"    // refused, with a hint at how to get a token
	NativeKeysMigrate = "migrate" // authenticates its user's account, while people move over
)
