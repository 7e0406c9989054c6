package proxy

import "vexa-sso/proxy/caller"

// Config is the settings of the HTTP edge.
type Config struct {
	// PublicURL is where browsers and programs reach the bridge. Every URL of ours is built from
	// it, never from a request.
	PublicURL string `yaml:"public_url"`

	// TrustedProxies are the networks (CIDR) whose X-Forwarded-* count.
	TrustedProxies []string `yaml:"trusted_proxies"`

	Session caller.SessionConfig `yaml:"session"`
	Tokens  caller.Tokens        `yaml:"tokens"`
	CORS    CORS                 `yaml:"cors"`
	Limits  Limits               `yaml:"limits"`
}

// CORS lists the origins that may call cross-origin (Fetch Standard, section 3.2) with a credential of their
// own, never with our cookie.
type CORS struct {
	Origins []string `yaml:"origins"` // as in an Origin header: scheme://host[:port]
}

// Limits are the bounds on what one caller can use (S12).
type Limits struct {
	// BodyReplay is how many bytes of a request body are buffered, so that the request can be sent again with
	// a new Vexa key when the old one is gone; default 64KiB. A longer body is streamed and sent once.
	BodyReplay Size `yaml:"body_replay"`

	// StreamsPerAccount is how many WebSockets and event streams one account may have open at a time; default
	// 20.
	StreamsPerAccount int `yaml:"streams_per_account"`

	// Connections is how many connections may be open at a time; default 10000. Those from trusted proxies
	// are counted apart.
	Connections int `yaml:"connections"`

	// ConnectionsPerAddress is how many of them one address may have, where TLS ends here and the address is
	// none of a trusted proxy; default 1000. An IPv6 /64 counts as one address.
	ConnectionsPerAddress int `yaml:"connections_per_address"`

	// RequestsPerSecond is the rate limit of one session or token, which is its burst too; 0 is no limit.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
}
