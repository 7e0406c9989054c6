package oidc

import "github.com/go-jose/go-jose/v4"

// dialect is what differs between the types of provider. Nothing outside Config's checks asks which type a
// provider is.
//
// A fourth type is one file, dialect_<type>.go: a struct that embeds standard and overrides what its provider
// does otherwise. Where that is much it goes on in dialect_<type>_access.go (access tokens) and
// dialect_<type>_errors.go (what the provider's own errors mean). Three lines elsewhere make it known: a
// constant beside TypeOkta in config.go, a title in typeTitles, a case in newDialect; and Config.Check holds
// the settings to what the type needs.
type dialect interface {
	// documentURL is the address of the discovery document.
	documentURL() string
	// issuer is the issuer as configured or derived, without a trailing slash; for a multi-tenant Entra it
	// holds {tenantid}.
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
	// emailWord is what the provider says about the address, and whether everybody who comes from the
	// provider is of one organisation.
	emailWord(c claims) (word verdict, pinned bool)
	// groupsCut is how many groups a claim has at most before the provider cuts it off without saying so; 0
	// where it says so.
	groupsCut() int
	// repeatsClaims says whether the ID token of a refresh has all that a sign-in's would have now.
	repeatsClaims() bool
	// microsoftGraph is where groups are listed that are too many for a token; ok is false where there is no
	// such place.
	microsoftGraph() (where cloud, ok bool)
	// userinfo says whether the userinfo endpoint can complete an ID token.
	userinfo() bool

	// issues says whether a token of exactly this issuer is the provider's own; doc is nil before the first
	// discovery.
	issues(doc *document, iss string) bool
	// apiDialects are those of the issuers in api.issuers that have a discovery document and keys of their
	// own.
	apiDialects(issuers []string) []dialect
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

	// prompt is the prompt to send for the one asked for.
	prompt(asked string) string
	// promptForAccount is the prompt with which a person can sign in with another account.
	promptForAccount() string
	// takesMaxAgeZero says whether max_age=0 is understood as "sign in again" (OpenID Connect Core 1.0,
	// section 3.1.2.1).
	takesMaxAgeZero() bool
	// refreshScopes are the scopes to name at a refresh, of those asked for at a sign-in; none: the
	// sign-in's.
	refreshScopes(asked []string) []string
	// assertionAlgorithm is the one to sign client assertions with, of those that our key can (at least one).
	assertionAlgorithm(doc *document, possible []jose.SignatureAlgorithm) jose.SignatureAlgorithm

	// logoutHint is what names the person to endSession; "" when nothing does.
	logoutHint(c claims) string
	// endSession is where signing out goes on.
	endSession(doc *document, r logoutRequest) (string, bool)
	// universalLogoutIssuer is the issuer that signs the calls of Universal Logout; "" where there is none.
	universalLogoutIssuer() string

	// signInMeaning is what the provider's own errors mean where they say more than the standard's code
	// beside them, overRemedy why a refresh token is dead; ok is false elsewhere. What ends by them is in
	// finalWords.
	signInMeaning(said providerSaid) (m meaning, ok bool)
	overRemedy(said providerSaid) (remedy string, ok bool)
}

// newDialect makes the dialect of the configured type.
func newDialect(cfg Config) (dialect, error) {
	switch cfg.Type {
	case TypeEntra:
		return newEntra(cfg)
	case TypeOkta:
		return newOkta(cfg), nil
	}
	return newStandard(cfg), nil
}
