package proxy

import "vexa-sso/proxy/caller"

// Config is what the HTTP edge needs to know.
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

// CORS lists the pages of others that may call with a credential of their own, never with our cookie.
type CORS struct {
	Origins []string `yaml:"origins"` // scheme, host and port, exactly as browsers send them
}

// Limits bound what one caller can take.
type Limits struct {
	// BodyReplay is how much of a request's body is kept so that the request can be sent again with a new key
	// when the old one turned out to be gone; default 64KiB.
	BodyReplay Size `yaml:"body_replay"`

	// StreamsPerAccount is how many WebSockets and event streams one account may hold open; default 20.
	StreamsPerAccount int `yaml:"streams_per_account"`

	// RequestsPerSecond is how many requests one session or token may make, with a burst of as much
	// again; 0: no limit of ours.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
}
