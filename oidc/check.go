package oidc

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"vexa-sso/oidc/address"
)

// The settings of Guests.
const (
	GuestsDeny  = "deny"
	GuestsAllow = "allow"
)

// The settings of ResponseMode (OAuth 2.0 Multiple Response Types, section 2.1; Form Post Response Mode).
const (
	ResponseModeQuery    = "query"
	ResponseModeFormPost = "form_post"
)

// The settings of Reauthentication. What we ask for goes through the browser, where the person can take it
// out (prompt, max_age): only what the signed ID token says of the time proves anything.
const (
	// ReauthenticateByAuthTime: auth_time of the ID token. A token without it proves nothing.
	ReauthenticateByAuthTime = "auth_time"
	// ReauthenticateByPrompt: where there is no auth_time, that we asked has to do.
	ReauthenticateByPrompt = "prompt"
)

// maxTimeout bounds the setting timeout.
const maxTimeout = time.Minute

var providerName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// Check reports everything that is wrong with the settings of a provider at once, without calling it. What
// would be unsafe is wrong.
func (c Config) Check() []Problem {
	r := &problems{}
	if !providerName.MatchString(c.Name) {
		r.add("name", "is not a name of 1 to 64 lower-case letters, digits, - and _",
			"the name is part of the redirect URI: okta, for example")
	}
	c.checkClient(r)
	c.checkRequest(r)
	c.checkAPI(r)
	c.checkDomains(r)
	c.checkNetwork(r)
	if !slices.Contains([]string{"", ResponseModeQuery, ResponseModeFormPost}, c.ResponseMode) {
		r.add("response_mode", "is not a response mode that we can receive", "write query or form_post")
	}
	switch c.Type {
	case TypeOkta, TypeOIDC:
		c.checkIssuer(r)
		c.refuseEntraSettings(r)
	case TypeEntra:
		c.checkEntra(r)
	default:
		r.add("type", fmt.Sprintf("%s is not a type of provider", quoted(c.Type)),
			"write okta, entra or oidc")
	}
	return r.found
}

type problems struct{ found []Problem }

func (r *problems) add(key, message, remedy string) {
	r.found = append(r.found, Problem{Key: key, Message: message, Remedy: remedy})
}

func (c Config) checkClient(r *problems) {
	if strings.TrimSpace(c.ClientID) == "" {
		r.add("client_id", "is missing", "copy it from the application's registration at the provider")
	}
	c.checkCredentials(r)
	for i, scope := range c.Scopes {
		if !isScope(scope) {
			r.add(fmt.Sprintf("scopes[%d]", i), fmt.Sprintf("%s is not a scope", quoted(scope)),
				"write one scope an entry, without spaces")
		}
	}
}

// isScope holds a scope to RFC 6749, section 3.3.
func isScope(scope string) bool {
	return scope != "" && !strings.ContainsFunc(scope, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

func (c Config) checkDomains(r *problems) {
	for i, domain := range c.TrustedDomains {
		if _, err := trustedDomain(domain); err != nil {
			r.add(fmt.Sprintf("trusted_domains[%d]", i),
				fmt.Sprintf("%s is not a domain", quoted(domain)), "write a whole domain, acme.example, or "+
					"take the entry away; every subdomain needs an entry of its own")
		}
	}
}

// trustedDomain is an entry of trusted_domains in the form of a normalized address's domain.
func trustedDomain(entry string) (string, error) {
	return address.Domain(strings.TrimPrefix(strings.TrimSpace(entry), "@"))
}

func (c Config) checkNetwork(r *problems) {
	if _, _, err := readCAFile(c.CAFile); err != nil {
		r.add("ca_file", err.Error(), "name a readable file of PEM certificates")
	}
	if c.ProxyURL != "" {
		u, err := url.Parse(c.ProxyURL)
		if err != nil || u.Host == "" ||
			!slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
			r.add("proxy_url", "is not the URL of a proxy",
				"write http://proxy.example:3128, or https, socks5 or socks5h")
		}
	}
	if c.GroupsLimit < 0 {
		r.add("groups_limit", fmt.Sprintf("%d is not a number of groups", c.GroupsLimit),
			"write the cap in the expression that makes the claim, or take it away")
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		r.add("timeout", fmt.Sprintf("%v is not between 0 and %v", c.Timeout, maxTimeout),
			fmt.Sprintf("write a time up to %v, or take it away for the default, 10s", maxTimeout))
	}
}

func (c Config) checkIssuer(r *problems) {
	const key = "issuer"
	issuer := strings.TrimSpace(c.Issuer)
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		r.add(key, "is missing", "write the provider's issuer, https://acme.okta.com for example")
		return
	case err != nil || u.Host == "" || u.User != nil:
		r.add(key, "is not a URL", "write the provider's issuer, https://acme.okta.com for example")
		return
	case strings.ContainsAny(issuer, "?#"):
		r.add(key, "has a query or a fragment", "write it without what follows ? or #")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		r.add(key, "is not an https URL",
			"anybody in between could sign in as anybody over http; only on loopback is it allowed")
	case strings.Contains(u.Path, "/.well-known/"):
		r.add(key, "is the address of the discovery document",
			"write it without /.well-known and what follows")
	}
	if c.Type != TypeOkta || loopback(u.Hostname()) {
		return
	}
	if org, _, _ := strings.Cut(u.Hostname(), "."); strings.HasSuffix(org, "-admin") {
		r.add(key, "is the address of Okta's admin console", "write it without -admin")
	}
	if path := strings.TrimRight(u.Path, "/"); path != "" && oktaServer.ReplaceAllString(path, "") != "" {
		r.add(key, "is not the issuer of an Okta authorization server",
			"write https://acme.okta.com, or https://acme.okta.com/oauth2/default")
	}
}

func (c Config) refuseEntraSettings(r *problems) {
	const message, remedy = "is a setting of type entra", "take it away"
	if c.Tenant != "" {
		r.add("tenant", message, remedy)
	}
	if len(c.AllowedTenants) > 0 {
		r.add("allowed_tenants", message, remedy)
	}
	if c.Cloud != "" {
		r.add("cloud", message, remedy)
	}
	if c.Guests != "" {
		r.add("guests", message, remedy)
	}
	if c.DomainHint != "" {
		r.add("domain_hint", message, "take it away; what another provider understands (Google's hd, "+
			"Okta's idp) goes into extra_parameters")
	}
}

func (c Config) checkEntra(r *problems) {
	if c.Issuer != "" {
		r.add("issuer", "is made from tenant and cloud for type entra", "take it away")
	}
	if _, err := cloudOf(c.Cloud); err != nil {
		r.add("cloud", err.Error(), "write public, usgov, china, or the login host alone")
	}
	if !slices.Contains([]string{"", GuestsDeny, GuestsAllow}, c.Guests) {
		r.add("guests", fmt.Sprintf("%s is not deny or allow", quoted(c.Guests)),
			"write deny or allow, or take it away for the default, deny")
	}
	c.checkTenant(r)
	c.checkAllowedTenants(r)
}

func (c Config) checkTenant(r *problems) {
	const key = "tenant"
	switch tenant := strings.ToLower(strings.TrimSpace(c.Tenant)); {
	case tenant == "":
		r.add(key, "is missing", "write the tenant's id (a GUID) from its overview page in Entra ID")
	case tenant == "common" || tenant == "consumers" || tenant == consumerTenant:
		r.add(key, "would let personal accounts in",
			"write the tenant's id (a GUID), or organizations with allowed_tenants")
	case tenant == anyOrganization:
		if len(c.AllowedTenants) == 0 {
			r.add("allowed_tenants",
				"is missing: with tenant organizations, anybody with a work account anywhere could sign in",
				"list the ids of the tenants whose people may")
		}
	case !guid.MatchString(tenant):
		r.add(key, fmt.Sprintf("%s is not a GUID", quoted(tenant)),
			"domain names can move between tenants: write the tenant's id from its overview page in Entra ID")
	case len(c.AllowedTenants) > 0 && !slices.Equal(lowered(c.AllowedTenants), []string{tenant}):
		r.add("allowed_tenants", "is set beside a single tenant",
			"take it away, or write tenant: organizations")
	}
}

func (c Config) checkAllowedTenants(r *problems) {
	for i, tenant := range c.AllowedTenants {
		key := fmt.Sprintf("allowed_tenants[%d]", i)
		switch tenant = strings.ToLower(strings.TrimSpace(tenant)); {
		case !guid.MatchString(tenant):
			r.add(key, fmt.Sprintf("%s is not a GUID", quoted(tenant)),
				"write the tenant's id, or take the entry away")
		case tenant == consumerTenant:
			r.add(key, "would let personal accounts in", "take the entry away")
		}
	}
	if len(lowered(c.AllowedTenants)) > 1 && len(c.TrustedDomains) > 0 {
		r.add("trusted_domains", "is set with more than one allowed tenant, where an administrator of one "+
			"tenant could claim addresses of another",
			"take it away, or configure one provider for each tenant")
	}
}

// loopback says whether a host is this machine, by name or number, without asking DNS.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// typeTitles are the types for people.
var typeTitles = map[string]string{TypeOkta: "Okta", TypeEntra: "Microsoft", TypeOIDC: "Single sign-on"}

// title is what people read on the button when nothing is configured: "Okta", or "Acme (Okta)" for one named
// acme.
func (c Config) title() string {
	if c.Title != "" {
		return c.Title
	}
	kind := typeTitles[c.Type]
	if c.Name == c.Type {
		return kind
	}
	words := strings.FieldsFunc(c.Name, func(r rune) bool { return r == '-' || r == '_' })
	for i, word := range words {
		words[i] = string(unicode.ToUpper(rune(word[0]))) + word[1:]
	}
	name := strings.Join(words, " ")
	if c.Type == TypeOIDC || name == "" || strings.Contains(name, kind) {
		return cmp.Or(name, kind)
	}
	return name + " (" + kind + ")"
}
