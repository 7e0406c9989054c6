package config

import (
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy"
	"vexa-sso/proxy/caller"
)

// Config is one validated configuration: what [Load] returns can be served as it is. The settings of each
// part are declared by the package that needs them.
type Config struct {
	// Instance is part of the name of our keys at Vexa: one instance never touches another's.
	Instance string `yaml:"instance"`

	// Listen is the address of the proxy itself, host:port.
	Listen string `yaml:"listen"`
	TLS    TLS    `yaml:"tls"`

	proxy.Config `yaml:",inline"`

	Metrics Metrics `yaml:"metrics"`
	Log     Log     `yaml:"log"`

	Vexa      vexa.Config   `yaml:"vexa"`
	Providers []oidc.Config `yaml:"providers"`

	// Rules are those of the document or, where RulesFile names one, of that file.
	Rules     []rule.Rule `yaml:"rules"`
	RulesFile string      `yaml:"rules_file"`

	// AdoptExisting says when an identity may take over a Vexa user that was there before: trusted (its email
	// is proven and in a trusted domain) or never.
	AdoptExisting string `yaml:"adopt_existing"`

	// KeyGrace is how long a Vexa key that another has replaced goes on working.
	KeyGrace time.Duration `yaml:"key_grace"`

	// Suspend says how far every suspension reaches, whoever decides it.
	Suspend mapping.SuspendConfig `yaml:"suspend"`

	Audit       Audit        `yaml:"audit"`
	Store       store.Config `yaml:"store"`
	KeyringFile string       `yaml:"keyring_file"`

	// Ring is the key ring of KeyringFile, RuleSet the compiled Rules.
	Ring    *keyring.Ring `yaml:"-"`
	RuleSet *rule.Rules   `yaml:"-"`

	// Files are the paths of all files that were read, sorted: when one of them changes,
	// it is time to Load again.
	Files []string `yaml:"-"`
}

// TLS is the certificate of the listener; with neither file it speaks plain http, behind
// something that terminates TLS.
type TLS struct {
	CertFile string `yaml:"cert_file"` // PEM, the leaf first
	KeyFile  string `yaml:"key_file"`
}

// Metrics is the listener for what only operators may see.
type Metrics struct {
	Listen string `yaml:"listen"` // host:port
}

// Log is what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug | info | warn | error
	Format string `yaml:"format"` // json | text
}

// Audit is how long the store keeps audit events.
type Audit struct {
	Retention time.Duration `yaml:"retention"`
}

// Default returns the configuration before any document: what a key is when nobody gives it.
func Default() *Config {
	return &Config{
		Listen:  "127.0.0.1:4180",
		Metrics: Metrics{Listen: "127.0.0.1:4181"},
		Log:     Log{Level: "info", Format: "json"},
		Vexa:    vexa.Config{Generation: "auto"},
		Config: proxy.Config{
			Session: caller.SessionConfig{
				Idle: 8 * time.Hour, Lifetime: 24 * time.Hour, Renew: 15 * time.Minute,
			},
			Tokens: caller.Tokens{
				MaxLifetime: 90 * 24 * time.Hour, MaxOffline: 24 * time.Hour,
				NativeKeys: caller.NativeKeysDeny,
			},
			Limits: proxy.Limits{
				BodyReplay: 64 << 10, StreamsPerAccount: 20, Connections: 10_000, ConnectionsPerAddress: 1000,
			},
		},
		AdoptExisting: "trusted",
		KeyGrace:      mapping.DefaultKeyGrace,
		Audit:         Audit{Retention: 90 * 24 * time.Hour},
		Store:         store.Config{URL: "sqlite:vexa-sso.db", Grace: 30 * time.Second},
	}
}
