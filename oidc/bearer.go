package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// AccessToken is what a verified access token proved.
type AccessToken struct {
	Identity  Identity
	Audience  string    // the one of api.audiences that it is for
	Scopes    []string  // scp, scope
	ClientID  string    // azp, appid, cid, client_id: the program that shows it
	IssuedAt  time.Time // iat; Entra sets it some minutes back
	ExpiresAt time.Time // exp, and a minute for clocks that differ
}

// AcceptsBearer says whether access tokens of this provider are taken at all: whether api.audiences is set.
func (p *Provider) AcceptsBearer() bool { return len(p.cfg.API.Audiences) > 0 }

// Issues says whether a token with this iss is this provider's to verify, or to refuse with a reason: its own
// issuer, those of api.issuers, Okta's org; for Entra those of the allowed tenants, version 1 and 2. It makes
// no call.
func (p *Provider) Issues(issuer string) bool {
	if issuer == "" {
		return false
	}
	return p.tokenIssuer(issuer) != nil || p.dialect.unverifiable(unverified{issuer: issuer}) != ""
}

// VerifyAccessToken verifies an access token as a resource server does (RFC 6750; RFC 9068, section 4) and
// says who shows it. The error is an *Error: CodeTokenExpired, CodeTokenInvalid, CodeTenantRefused,
// CodeGuestRefused, or CodeProviderUnavailable when the provider's keys cannot be read. Message names the
// check that failed, and of the token no more than issuer, audience and client id.
//
// An access token says less than a sign-in: mostly no address, and often no groups, which GroupsComplete
// tells.
func (p *Provider) VerifyAccessToken(ctx context.Context, raw string) (AccessToken, error) {
	token, refusal := p.verifyAccessToken(ctx, raw)
	if refusal != nil {
		return AccessToken{}, refusal
	}
	return token, nil
}

func (p *Provider) verifyAccessToken(ctx context.Context, raw string) (AccessToken, *Error) {
	issuer, refusal := p.bearerIssuer(raw)
	if refusal != nil {
		return AccessToken{}, refusal
	}
	doc, err := issuer.discovery.get(ctx)
	if err != nil {
		return AccessToken{}, unreachable("reading the discovery document", err)
	}
	c, header, refusal := p.bearerClaims(ctx, doc, issuer, raw)
	if refusal != nil {
		return AccessToken{}, refusal
	}
	if !issuer.issues(doc, c.text("iss")) {
		return AccessToken{}, p.foreignIssuer(c.text("iss"))
	}
	if refusal := p.checkIsAccessToken(c, header); refusal != nil {
		return AccessToken{}, refusal
	}
	shown, refusal := issuer.access(c)
	if refusal != nil {
		return AccessToken{}, p.withWantedAudience(refusal)
	}
	audience, refusal := p.checkAudience(c)
	if refusal != nil {
		return AccessToken{}, refusal
	}
	if refusal := checkTimes(c, p.now()); refusal != nil {
		return AccessToken{}, refusal
	}
	if refusal := p.checkProgram(shown); refusal != nil {
		return AccessToken{}, refusal
	}
	identity := p.resolveAs(ctx, doc, shown.claims, shown.who)
	if refusal := p.checkPermission(shown, identity); refusal != nil {
		return AccessToken{}, refusal
	}
	return AccessToken{
		Identity: identity, Audience: audience, Scopes: shown.scopes, ClientID: shown.client,
		IssuedAt: c.instant("iat"), ExpiresAt: c.instant("exp").Add(maxSkew),
	}, nil
}

// bearerIssuer chooses the issuer by the token's unverified iss. Nothing is fetched yet, and no signature is
// checked.
func (p *Provider) bearerIssuer(raw string) (*tokenIssuer, *Error) {
	if !p.AcceptsBearer() {
		return nil, refusedToken("Access tokens of "+p.Title()+" are not taken here.",
			"If they should be, set api.audiences.", errors.New("api.audiences is not set"))
	}
	says, problem := readUnverified(raw)
	if problem != "" {
		return nil, refusedToken(problem,
			"Nothing, if it is rare: something else than an access token was shown.",
			errors.New("the access token is not a signed JSON Web Token"))
	}
	if why := p.dialect.unverifiable(says); why != "" {
		return nil, p.withWantedAudience(refusedToken(why, "The program asked for another token than the "+
			"one it needs: see the audience and scope of its request.",
			fmt.Errorf("the access token of %s can be verified by nobody but its API", quoted(says.issuer))))
	}
	issuer := p.tokenIssuer(says.issuer)
	if issuer == nil {
		return nil, p.foreignIssuer(says.issuer)
	}
	return issuer, nil
}

// bearerTypes are the values that typ may have in an access token's header (RFC 9068, section 2.1). Okta
// sends none, Entra JWT.
var bearerTypes = []string{"at+jwt", "application/at+jwt", "JWT"}

// bearerClaims verifies the signature with the issuer's keys, and returns the claims and the header.
func (p *Provider) bearerClaims(
	ctx context.Context, doc *document, issuer *tokenIssuer, raw string,
) (claims, jose.Header, *Error) {
	signed := &signedBy{
		keys: issuer.keys, url: doc.JWKSURL, algorithms: doc.algorithms(), types: bearerTypes,
		fits: func(key publicKey, c claims) error { return issuer.keyFits(doc, key, c) },
	}
	_, err := signed.verify(ctx, raw)
	var ours *Error
	switch {
	case err == nil:
		return signed.claims, signed.header, nil
	case errors.As(err, &ours):
		return nil, jose.Header{}, ours
	}
	say := "No key of its issuer has signed this access token."
	if signed.header.Algorithm == "" { // it was not even parsed
		say = "This access token is not signed in a way that is taken here."
	} else if signed.checkType() != nil {
		say = "This token is of another type than an access token."
	}
	return nil, jose.Header{}, p.withWantedAudience(refusedToken(say, "Many of these may be an attack. If "+
		"it is all of a program's: it shows a token of another kind, or of another deployment.",
		fmt.Errorf("verifying the access token: %w", reduced(err))))
}

// checkIsAccessToken refuses what the same keys sign for other purposes (ID tokens, security events, refresh
// tokens of Keycloak), and an access token that is bound to a key (cnf) and so is no bearer token.
func (p *Provider) checkIsAccessToken(c claims, header jose.Header) *Error {
	const remedy = "The program shows another token than its access token."
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	declared := typ != "" && !strings.EqualFold(typ, "JWT") || c.text("typ") == "Bearer" // RFC 9068; Keycloak
	switch {
	case c.has("cnf"):
		return p.withWantedAudience(refusedToken("This access token is bound to a key (DPoP or mTLS), "+
			"which is not done here; a bearer token is wanted.",
			"Let the program ask for bearer tokens.", errors.New("the access token has cnf")))
	case c.has("events"):
		return p.withWantedAudience(refusedToken("This is a message about security events, not an "+
			"access token.", remedy, errors.New("the token has events")))
	case c.has("typ") && c.text("typ") != "Bearer" && c.text("typ") != "ID":
		// Keycloak's Refresh, Offline, Logout
		return p.withWantedAudience(refusedToken("This token is of another kind than an access token.",
			remedy, errors.New("the token's claim typ is not Bearer")))
	case c.has("at_hash") || c.has("c_hash") || c.text("typ") == "ID" ||
		!declared && (c.has("nonce") || p.dialect.isForSignIn(c)):
		return p.withWantedAudience(refusedToken("This is an ID token.", remedy,
			errors.New("the token is an ID token")))
	}
	return nil
}

// checkAudience finds the configured audience that the token is for.
func (p *Provider) checkAudience(c claims) (string, *Error) {
	audience, _ := list(c["aud"])
	for _, wanted := range p.cfg.API.Audiences {
		if slices.ContainsFunc(audience, func(aud string) bool {
			return p.dialect.sameAudience(wanted, aud)
		}) {
			return wanted, nil
		}
	}
	return "",
		p.withWantedAudience(refusedToken("This access token is for the audience "+quotedList(audience)+".",
			"Let the program ask for a token for one of api.audiences, or add the audience to them if it "+
				"is this service's.", fmt.Errorf("the access token's audience is %s", quotedList(audience))))
}

// checkTimes holds exp, nbf and iat (RFC 7519, section 4.1) to our clock, give or take maxSkew.
func checkTimes(c claims, now time.Time) *Error {
	const remedy = "Compare the clocks of this machine and the provider."
	expires, starts := c.instant("exp"), c.instant("nbf")
	switch {
	case expires.IsZero():
		return refusedToken("This access token does not say when it expires.",
			"The provider has to put exp into its access tokens.", errors.New("the access token has no exp"))
	case !now.Before(expires.Add(maxSkew)):
		e := refusedToken("This access token has expired. Get a new one.",
			"Nothing: programs get a new token when theirs has expired.",
			fmt.Errorf("the access token expired at %s, and it is %s", rfc3339(expires), rfc3339(now)))
		e.Code = CodeTokenExpired
		return e
	case c.has("nbf") && (starts.IsZero() || starts.After(now.Add(maxSkew))):
		return refusedToken("This access token is not valid yet.", remedy,
			fmt.Errorf("the access token is good from %s, and it is %s", rfc3339(starts), rfc3339(now)))
	}
	if err := checkIssuedAt(c, now); err != nil {
		return refusedToken("This access token does not say when it was issued, or that it will be.",
			remedy, err)
	}
	return nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkProgram holds the client that the token was issued to (azp, appid, cid, client_id) to api.clients.
func (p *Provider) checkProgram(shown access) *Error {
	listed := func(client string) bool { return p.dialect.sameClient(client, shown.client) }
	if len(p.cfg.API.Clients) == 0 || slices.ContainsFunc(p.cfg.API.Clients, listed) {
		return nil
	}
	return refusedToken("The program "+quoted(shown.client)+" may not show access tokens here.",
		"If it may, add it to api.clients.",
		fmt.Errorf("the access token is shown by the client %s", quoted(shown.client)))
}

// checkPermission holds the token to the scope, and a program's own to the role, that the settings ask for.
func (p *Provider) checkPermission(shown access, identity Identity) *Error {
	scope, role := p.cfg.API.RequiredScope, p.cfg.API.RequiredRole
	switch {
	case scope != "" && !shown.scopeless && !slices.Contains(shown.scopes, scope):
		return refusedToken("This access token does not have the scope "+quoted(scope)+". Ask for it.",
			"The program has to ask for the scope, and be allowed to.",
			fmt.Errorf("the access token of the client %s lacks the scope", quoted(shown.client)))
	case role != "" && identity.Kind == Service && !slices.Contains(identity.Roles, role):
		return refusedToken("The program of this access token does not have the role "+quoted(role)+
			". An administrator can give it.",
			"Give the program the role at the provider, with an administrator's consent.",
			fmt.Errorf("the client %s lacks the role", quoted(shown.client)))
	}
	return nil
}

func (p *Provider) foreignIssuer(issuer string) *Error {
	if e := p.dialect.foreign(issuer); e != nil {
		return e
	}
	return refusedToken("This access token was issued by "+quoted(issuer)+
		", whose tokens are not taken here.",
		"If they should be, see api.issuers, or configure a provider for the issuer.",
		fmt.Errorf("the access token's iss is %s", quoted(issuer)))
}

func refusedToken(message, remedy string, cause error) *Error {
	return &Error{Code: CodeTokenInvalid, Message: message, Remedy: remedy, Err: cause}
}

// withWantedAudience adds to a refusal for which audience an access token is wanted here.
func (p *Provider) withWantedAudience(refusal *Error) *Error {
	if refusal.Code != CodeTokenInvalid {
		return refusal
	}
	e := *refusal
	e.Message += " An access token for the audience " +
		strings.Join(quotedEach(p.cfg.API.Audiences), " or ") + " is wanted."
	return &e
}

// quotedList is the first few of a list of strangers' texts, for people.
func quotedList(values []string) string {
	const most = 3
	if len(values) == 0 {
		return "of nobody"
	}
	text := strings.Join(quotedEach(values[:min(most, len(values))]), ", ")
	if len(values) > most {
		text += fmt.Sprintf(" and %d more", len(values)-most)
	}
	return text
}

func quotedEach(values []string) []string {
	each := make([]string, len(values))
	for i, v := range values {
		each[i] = quoted(v)
	}
	return each
}
