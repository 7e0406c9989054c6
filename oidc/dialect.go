package oidc

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

// documentPath is where a discovery document is below its issuer (OpenID Connect Discovery 1.0, section 4).
const documentPath = "/.well-known/openid-configuration"

// newDialect chooses the dialect and the address of its discovery document.
func newDialect(cfg Config) (dialect, string, error) {
	if cfg.Type == TypeEntra {
		e, err := newEntra(cfg)
		if err != nil {
			return nil, "", err
		}
		return e, e.documentURL(), nil
	}
	documentURL := canonicalIssuer(cfg.Issuer) + documentPath
	if cfg.Type == TypeOkta {
		return newOkta(cfg), documentURL, nil
	}
	return newStandard(cfg), documentURL, nil
}
