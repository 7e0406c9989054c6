package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/tokens"
)

// check reports every setting that would not work or not be safe, and completes what follows from others:
// redirect URLs, the key ring, the compiled rules.
func (l *loader) check(c *Config) {
	l.checkKeys(c.Instance, c.KeyGrace)
	l.checkListeners(c)
	l.checkPublicURL(c.PublicURL)
	l.checkTLS(c)
	l.checkProxies(c.TrustedProxies)
	l.checkOrigins(c.CORS.Origins)
	l.checkVexa(c)
	l.checkProviders(c)
	l.checkRules(c)
	l.checkTimes(c)
	l.checkLimits(c)
	l.checkStore(c)
	l.checkKeyring(c)

	l.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	l.oneOf("log.format", c.Log.Format, "json", "text")
	l.oneOf("tokens.native_keys", c.Tokens.NativeKeys, caller.NativeKeysDeny, caller.NativeKeysMigrate)
	l.oneOf("adopt_existing", c.AdoptExisting, "trusted", "never")
}

func (l *loader) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.failKey(key, fmt.Sprintf("%q is not one of its values", value),
			"write "+strings.Join(allowed, ", "))
	}
}

// missing reports a required key that has no value, and returns whether it did.
func (l *loader) missing(key, value, remedy string) bool {
	if value != "" {
		return false
	}
	l.failKey(key, "is missing", remedy)
	return true
}

// checkKeys reports what is wrong with the name that the keys at Vexa carry, and with how long they live.
func (l *loader) checkKeys(name string, grace time.Duration) {
	for _, problem := range (mapping.Config{Instance: name, KeyGrace: max(grace, 0)}).Problems() {
		l.failFound("", problem)
	}
}

func (l *loader) checkListeners(c *Config) {
	l.checkAddress("listen", c.Listen)
	l.checkAddress("metrics.listen", c.Metrics.Listen)
	if c.Listen == c.Metrics.Listen && !strings.HasSuffix(c.Listen, ":0") {
		l.failKey("metrics.listen", "is the address of the proxy itself", "give it another port")
	}
}

func (l *loader) checkAddress(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		l.failKey(key, fmt.Sprintf("%q is not an address to listen at", address),
			"write host:port, like 127.0.0.1:4180, or :4180 for all interfaces")
	}
}

func (l *loader) checkPublicURL(text string) {
	const remedy = "write what people type, like https://vexa.acme.example"
	if l.missing("public_url", text, remedy) {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		l.failKey("public_url", "is not an http or https URL", remedy)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		l.failKey("public_url", "has more than scheme, host and port", remedy)
	case u.Path != "":
		l.failKey("public_url", "has a path",
			"the bridge is at the root of its host: write "+u.Scheme+"://"+u.Host)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		l.failKey("public_url", "plain http would show sessions and tokens to the network",
			"write https://, and give tls its files or put a TLS terminator in front")
	case u.Host != strings.ToLower(u.Host):
		l.failKey("public_url", "has capitals in its host",
			"write it as browsers do: "+u.Scheme+"://"+strings.ToLower(u.Host))
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		l.failKey("public_url", "names the default port of its scheme",
			"write it as browsers do: "+u.Scheme+"://"+u.Hostname())
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' }):
		l.failKey("public_url", "has letters beyond ASCII in its host",
			"write it as browsers do, in its xn-- form")
	}
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		err == nil && address.Unmap().IsLoopback()
}

func (l *loader) checkTLS(c *Config) {
	cert, key := c.TLS.CertFile, c.TLS.KeyFile
	switch {
	case cert == "" && key == "":
		return
	case cert == "":
		l.failKey("tls.cert_file", "is missing while there is a key_file",
			"give both, or none behind a TLS terminator")
	case key == "":
		l.failKey("tls.key_file", "is missing while there is a cert_file",
			"give both, or none behind a TLS terminator")
	case strings.HasPrefix(c.PublicURL, "http:"):
		l.failKey("tls", "the listener speaks TLS and public_url says http", "write https:// in public_url")
	case !l.isReported("tls"):
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			l.failKey("tls", "the certificate and its key cannot be used: "+err.Error(),
				"give a PEM certificate, the leaf first, and the private key that belongs to it")
		}
	}
}

// checkProxies refuses trusted_proxies that mean the internet: who is trusted says from where a request came.
// A12: being trusted lets nobody in; there is no setting that does.
func (l *loader) checkProxies(networks []string) {
	for i, text := range networks {
		key := fmt.Sprintf("trusted_proxies[%d]", i)
		network, err := parseNetwork(text)
		switch {
		case err != nil || network.Addr().Is4In6():
			l.failKey(key, fmt.Sprintf("%q is not a network", text),
				"write CIDR notation, like 10.0.0.0/8, or one address")
		case network.Addr().Is4() && network.Bits() < 8 || network.Addr().Is6() && network.Bits() < 7:
			l.failKey(key, fmt.Sprintf("%s trusts strangers to say where a request came from", text),
				"list the networks of your own proxies")
		}
	}
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		return netip.PrefixFrom(address, address.BitLen()), err
	}
	return netip.ParsePrefix(text)
}

func (l *loader) checkOrigins(origins []string) {
	for i, text := range origins {
		u, err := url.Parse(text)
		exact := err == nil && u.Host != "" && u.Hostname() != "" &&
			text == strings.ToLower(u.Scheme+"://"+u.Host)
		if !exact || strings.Contains(text, "*") ||
			u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			l.failKey(fmt.Sprintf("cors.origins[%d]", i),
				fmt.Sprintf("%q is not the origin of one site", text),
				"write scheme and host exactly as browsers send them, like https://app.acme.example")
		}
	}
}

// checkVexa reports each of the problems that the client of Vexa joins into its error.
func (l *loader) checkVexa(c *Config) {
	err := c.Vexa.Check()
	problems := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		problems = joined.Unwrap()
	}
	for _, err := range problems {
		if problem := (*vexa.ConfigError)(nil); errors.As(err, &problem) {
			l.failKey("vexa."+problem.Key, problem.Message, problem.Remedy)
		}
	}
	if u, err := url.Parse(c.Vexa.GatewayURL); err == nil && strings.Trim(u.Path, "/") != "" {
		l.failKey("vexa.gateway_url", "has a path, and the gateway's routes begin at the root",
			"write it as http://host:port")
	}
}

func (l *loader) checkProviders(c *Config) {
	if len(c.Providers) == 0 {
		l.failKey("providers", "there is no identity provider",
			"list at least one: name, type (okta, entra, oidc), client_id and where it is")
	}
	first := map[string]int{}
	for i := range c.Providers {
		p := &c.Providers[i]
		key := fmt.Sprintf("providers[%d]", i)
		for _, problem := range p.Check() {
			l.failFound(key, problem)
		}
		if earlier, twice := first[p.Name]; twice && p.Name != "" {
			l.failKey(key+".name", fmt.Sprintf("%s is the name of providers[%d] already", p.Name, earlier),
				"each provider needs a name of its own")
			continue
		}
		first[p.Name] = i
		p.RedirectURL = c.PublicURL + "/sso/callback/" + p.Name
	}
}

func (l *loader) checkRules(c *Config) {
	if len(c.Rules) == 0 {
		l.failKey("rules", "there are none, so nobody could use Vexa",
			"write at least one rule with a grant, here or in a rules_file")
		return
	}
	rules, problems := rule.Compile(c.Rules)
	if rules != nil && len(c.Providers) > 0 { // without any, that is what is wrong
		problems = append(problems, rules.CheckProviders(providerNames(c.Providers))...)
	}
	for _, p := range problems {
		l.failFound(fmt.Sprintf("rules[%d]", p.Rule), p.Problem)
	}
	c.RuleSet = rules
}

func providerNames(providers []oidc.Config) []string {
	var names []string
	for _, p := range providers {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// failFound reports a problem that another package found in its settings below key. Where it is inside a
// text, such as an expression, it points there.
func (l *loader) failFound(key string, found oidc.Problem) {
	if found.Key != "" {
		key = join(key, found.Key)
	}
	if l.isReported(key) {
		return
	}
	p := l.problem(key, found.Message, found.Remedy)
	if found.Line > 0 {
		at, ok := place{}, false
		if n := l.nodes[key]; n != nil {
			at, ok = n.inside(found.Line, max(found.Column, 1))
		}
		if ok {
			p.Line, p.Column = at.line, at.column
		} else {
			p.Message = fmt.Sprintf("line %d, column %d of it: %s", found.Line, found.Column, p.Message)
		}
	}
	l.problems = append(l.problems, p)
}

func (l *loader) checkTimes(c *Config) {
	s := c.Session
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"session.idle", s.Idle},
		{"session.lifetime", s.Lifetime},
		{"session.renew", s.Renew},
		{"tokens.max_lifetime", c.Tokens.MaxLifetime},
		{"tokens.max_offline", c.Tokens.MaxOffline},
		{"audit.retention", c.Audit.Retention},
		{"key_grace", c.KeyGrace},
	} {
		if d.value <= 0 {
			l.failKey(d.key, "is not longer than 0s", "write it like 15m or 24h")
		}
	}
	if d := c.Tokens.MaxLifetime; d > 0 && d < tokens.LeastTokenLifetime {
		l.failKey("tokens.max_lifetime", fmt.Sprintf("%s is too short for any token", short(d)),
			"write "+short(tokens.LeastTokenLifetime)+" or more")
	}
	if s.Idle > s.Lifetime {
		l.failKey("session.idle",
			fmt.Sprintf("%s is longer than session.lifetime, %s", short(s.Idle), short(s.Lifetime)),
			"shorten it, or lengthen the lifetime")
	}
	if s.Renew >= s.Lifetime {
		l.failKey("session.renew",
			fmt.Sprintf("%s is not shorter than session.lifetime, %s", short(s.Renew), short(s.Lifetime)),
			"shorten it: it is how often the provider is asked again")
	}
}

// maxReplay is the greatest limits.body_replay: that much memory for each request under way.
const maxReplay = 16 << 20

func (l *loader) checkLimits(c *Config) {
	if c.Limits.BodyReplay > maxReplay {
		l.failKey("limits.body_replay",
			"is more than 16MiB, and every request under way may take as much memory", "write 16MiB or less")
	}
	if c.Limits.StreamsPerAccount < 1 {
		l.failKey("limits.streams_per_account", "allows no stream at all", "write 1 or more")
	}
	if c.Limits.Connections < 1 {
		l.failKey("limits.connections", "allows no connection at all", "write 1 or more")
	}
	if c.Limits.ConnectionsPerAddress < 1 {
		l.failKey("limits.connections_per_address", "allows no connection at all", "write 1 or more")
	}
	if c.Limits.RequestsPerSecond < 0 {
		l.failKey("limits.requests_per_second", "is less than 0", "write 0 for no limit")
	}
}

// maxGrace is the greatest store.grace: for so long, while the store is away, a replica may serve somebody
// who was cut off elsewhere (S5).
const maxGrace = 5 * time.Minute

func (l *loader) checkStore(c *Config) {
	const remedy = "write sqlite:<file>, or postgres://user:password@host/database for more than one replica"
	scheme, rest, _ := strings.Cut(c.Store.URL, ":")
	postgres := scheme == "postgres" || scheme == "postgresql"
	switch {
	case l.missing("store.url", c.Store.URL, remedy):
	case postgres && !isPostgres(c.Store.URL):
		l.failKey("store.url", "is not a PostgreSQL URL", remedy)
	case !postgres && scheme != "sqlite" || rest == "":
		l.failKey("store.url", "is neither SQLite nor PostgreSQL", remedy)
	}
	switch {
	case c.Store.NotifyURL == "":
	case !postgres:
		l.failKey("store.notify_url", "is for PostgreSQL only", "delete it")
	case !isPostgres(c.Store.NotifyURL):
		l.failKey("store.notify_url", "is not a PostgreSQL URL",
			"write the direct address of the server that store.url reaches through a pooler")
	}
	if c.Store.Grace < 0 || c.Store.Grace > maxGrace {
		l.failKey("store.grace",
			fmt.Sprintf("%s is not between 0s and %s", short(c.Store.Grace), short(maxGrace)),
			"write at most "+short(maxGrace)+": while the store is away, somebody cut off elsewhere keeps "+
				"access for that long")
	}
}

func isPostgres(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") &&
		u.Opaque == "" && u.Fragment == ""
}

func (l *loader) checkKeyring(c *Config) {
	if l.missing("keyring_file", c.KeyringFile, "make a key ring with `vexa-sso keyring generate`; without "+
		"it nothing could be sealed") ||
		l.isReported("keyring_file") {
		return
	}
	l.files[c.KeyringFile] = true
	ring, err := keyring.LoadFile(c.KeyringFile)
	if err != nil {
		l.failKey("keyring_file", err.Error(), "")
		return
	}
	c.Ring = ring
}
