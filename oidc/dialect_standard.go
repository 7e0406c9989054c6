package oidc

import (
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// standard is the dialect of a provider that does as OpenID Connect says.
type standard struct {
	configured string // the issuer
	client     string // ours
}

func newStandard(cfg Config) dialect { return standard{canonicalIssuer(cfg.Issuer), cfg.ClientID} }

// documentPath is where a discovery document is below its issuer (OpenID Connect Discovery 1.0, section 4).
const documentPath = "/.well-known/openid-configuration"

func (s standard) documentURL() string { return s.configured + documentPath }

func (s standard) issuer() string { return s.configured }

// accepts tolerates what people write differently, a slash at the end and the case of the host. Tokens are
// then held to the document's spelling, exactly.
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

func (s standard) groupsCut() int { return 0 }

// repeatsClaims: an ID token of a refresh need not have more than the standard's few (OpenID Connect Core
// 1.0, section 12.2).
func (s standard) repeatsClaims() bool { return false }

func (s standard) microsoftGraph() (cloud, bool) { return cloud{}, false }

// issues: until the provider's own spelling is known, every spelling may be it.
func (s standard) issues(doc *document, iss string) bool {
	if doc == nil {
		return s.accepts(iss)
	}
	return iss == doc.IssuerURL
}

func (s standard) apiDialects([]string) []dialect { return nil }

func (s standard) unverifiable(unverified) string { return "" }

func (s standard) userinfo() bool { return true }

// refreshScopes: a scope that the person did not grant would fail the refresh (RFC 6749, section 6).
func (s standard) refreshScopes([]string) []string { return nil }

func (s standard) prompt(asked string) string { return asked }

// promptForAccount: select_account is for a provider to know or not, and login is known to all.
func (s standard) promptForAccount() string { return "login" }

func (s standard) takesMaxAgeZero() bool { return true }

// assertionAlgorithm is the likeliest of those that the discovery document names, or the likeliest.
func (s standard) assertionAlgorithm(
	doc *document, possible []jose.SignatureAlgorithm,
) jose.SignatureAlgorithm {
	for _, algorithm := range possible {
		if slices.Contains(doc.AssertionAlgorithms, string(algorithm)) {
			return algorithm
		}
	}
	return possible[0]
}

func (s standard) logoutHint(claims) string { return "" }

func (s standard) endSession(doc *document, r logoutRequest) (string, bool) {
	return endSessionURL(doc, map[string]string{
		"id_token_hint":            r.idToken,
		"client_id":                r.clientID,
		"logout_hint":              r.logoutHint,
		"post_logout_redirect_uri": r.returnTo,
	})
}

func (s standard) universalLogoutIssuer() string { return "" }

func (s standard) signInMeaning(providerSaid) (meaning, bool) { return meaning{}, false }

func (s standard) overRemedy(providerSaid) (string, bool) { return "", false }

// canonicalIssuer is an issuer in one spelling: scheme and host in lower case, no default port, no slash at
// the end.
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
