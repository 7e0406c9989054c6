package oidc

import (
	"net/url"
	"strings"
)

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
