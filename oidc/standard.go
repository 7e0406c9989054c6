package oidc

import (
	"net/url"
	"strings"
)

// dialect is what differs between the types of provider.
type dialect interface {
	// issuer is the issuer as configured or derived, without a trailing slash; for a multi-tenant Entra it holds {tenantid}.
	issuer() string
	// accepts says whether a discovery document of this issuer is the configured provider's.
	accepts(documentIssuer string) bool
	// handlesIssuer says whether somebody who names this issuer means the provider.
	handlesIssuer(doc *document, iss string) bool
	// keyFits says whether a key may sign a token with these claims; they are not verified otherwise yet.
	keyFits(doc *document, key publicKey, c claims) error
	// check is the dialect's part of verifying an ID token.
	check(doc *document, c claims) *Error
	// subject is the canonical subject of verified claims.
	subject(c claims) (string, *Error)
	// issues says whether a token of exactly this issuer is the provider's own; doc is nil before the first discovery.
	issues(doc *document, iss string) bool
	// unverifiable says for people why nobody but its API can verify an access token; "" for others.
	unverifiable(t unverified) string
	// foreign is a refusal of tokens of another issuer that says more than that; nil for none.
	foreign(iss string) *Error
	// isForSignIn says whether a token that does not say what it is looks like an ID token.
	isForSignIn(c claims) bool
	// access is the dialect's part of verifying an access token.
	access(c claims) (access, *Error)
	// sameAudience and sameClient compare a setting with what a token says.
	sameAudience(wanted, aud string) bool
	sameClient(wanted, client string) bool
	// emailWord is what the provider says about the address, and whether everybody who comes from the provider is of one
	// organisation.
	emailWord(c claims) (word verdict, pinned bool)
	// userinfo says whether the userinfo endpoint can complete an ID token.
	userinfo() bool
	// refreshScopes are the scopes to name at a refresh, of those asked for at a sign-in; none: the sign-in's.
	refreshScopes(asked []string) []string
	// prompt is the prompt to send for the one asked for.
	prompt(asked string) string
	// logoutHint is what names the person to endSession; "" when nothing does.
	logoutHint(c claims) string
	// endSession is where signing out goes on.
	endSession(doc *document, r logoutRequest) (string, bool)
}

// standard is the dialect of a provider that does as OpenID Connect says.
type standard struct {
	configured string // the issuer
	client     string // ours
}

func newStandard(cfg Config) dialect { return standard{canonicalIssuer(cfg.Issuer), cfg.ClientID} }

func (s standard) issuer() string { return s.configured }

// accepts tolerates what people write differently, a slash at the end and the case of the host. Tokens are then held to the
// document's spelling, exactly.
func (s standard) accepts(documentIssuer string) bool {
	return canonicalIssuer(documentIssuer) == s.configured
}

func (s standard) handlesIssuer(doc *document, iss string) bool { return s.accepts(iss) }

func (s standard) keyFits(*document, publicKey, claims) error { return nil }

func (s standard) check(*document, claims) *Error { return nil }

// subject: an issuer has no fragment, so the first # ends it.
func (s standard) subject(c claims) (string, *Error) {
	return "oidc:" + s.configured + "#" + c.text("sub"), nil
}

// emailWord: an issuer may serve the whole world, as Google does, so a trusted domain alone proves nothing.
func (s standard) emailWord(c claims) (verdict, bool) { return emailVerified(c), false }

// issues: until the provider's own spelling is known, every spelling may be it.
func (s standard) issues(doc *document, iss string) bool {
	if doc == nil {
		return s.accepts(iss)
	}
	return iss == doc.IssuerURL
}

func (s standard) unverifiable(unverified) string { return "" }

func (s standard) userinfo() bool { return true }

// refreshScopes: a scope that the person did not grant would fail the refresh (RFC 6749, section 6).
func (s standard) refreshScopes([]string) []string { return nil }

func (s standard) prompt(asked string) string { return asked }

func (s standard) logoutHint(claims) string { return "" }

func (s standard) endSession(doc *document, r logoutRequest) (string, bool) {
	return endSessionURL(doc, map[string]string{
		"id_token_hint":            r.idToken,
		"client_id":                r.clientID,
		"logout_hint":              r.logoutHint,
		"post_logout_redirect_uri": r.returnTo,
	})
}

// canonicalIssuer is an issuer in one spelling: scheme and host in lower case, no default port, no slash at the end.
func canonicalIssuer(issuer string) string {
	u, err := url.Parse(strings.TrimSpace(issuer))
	if err != nil || u.Host == "" {
		return issuer
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		u.Host = strings.TrimSuffix(u.Host, ":443")
	case "http":
		u.Host = strings.TrimSuffix(u.Host, ":80")
	}
	return strings.TrimRight(u.String(), "/")
}
