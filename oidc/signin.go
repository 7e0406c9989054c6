package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// attemptLife is how long a person may take at the provider.
	attemptLife = time.Hour
	// maxParams and maxParam bound a callback: how many parameters, and of how many bytes. Entra's codes are
	// the longest.
	maxParams = 50
	maxParam  = 16 << 10
	// maxHint bounds a login_hint, in bytes.
	maxHint = 1 << 10
)

// BeginOptions shape one sign-in.
type BeginOptions struct {
	// LoginHint is login_hint: who is likely to sign in. Whoever does may be another.
	LoginHint string
	// Prompt is none, login, consent or select_account. Empty: the setting prompt.
	Prompt string
	// MaxAge is max_age, in whole seconds: how long ago the person may have signed in at the provider, or
	// they do so again. Nil: the setting max_age.
	MaxAge *time.Duration
}

// Attempt is one sign-in under way, from Begin to Finish. Whoever holds it could finish the sign-in: it
// belongs sealed into the browser that began it.
type Attempt struct {
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	IssuedAt time.Time `json:"issued_at"`

	MaxAge *time.Duration `json:"max_age,omitempty"` // that was sent
}

// SignIn is a finished sign-in.
type SignIn struct {
	Identity     Identity
	IDToken      string    // raw; of use to EndSession alone
	RefreshToken string    // empty when the provider gave none
	LogoutHint   string    // Entra's login_hint claim, for EndSession
	AuthTime     time.Time // when the person signed in at the provider; zero if it didn't say
}

// Begin starts a sign-in: it returns where to send the browser, and what Finish will need.
func (p *Provider) Begin(ctx context.Context, o BeginOptions) (redirect string, a Attempt, err error) {
	doc, err := p.discovery.get(ctx)
	if err != nil {
		return "", Attempt{}, err
	}
	if o.MaxAge == nil && p.cfg.MaxAge > 0 {
		o.MaxAge = &p.cfg.MaxAge
	}
	a = Attempt{Provider: p.cfg.Name, IssuedAt: p.now(), MaxAge: o.MaxAge}
	for _, secret := range []*string{&a.State, &a.Nonce, &a.Verifier} {
		if *secret, err = p.random(); err != nil {
			return "", Attempt{}, err
		}
	}
	conf := oauth2.Config{
		ClientID:    p.cfg.ClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: doc.AuthURL},
		RedirectURL: p.cfg.RedirectURL,
		Scopes:      p.scopes(doc),
	}
	options := append(p.parameters(o), oauth2.S256ChallengeOption(a.Verifier), gooidc.Nonce(a.Nonce))
	return conf.AuthCodeURL(a.State, options...), a, nil
}

// random is 256 bits for a URL. As a PKCE verifier it has the 43 characters of RFC 7636, section 4.1.
func (p *Provider) random() (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(p.rand, b); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// scopes are the standard ones and those configured. offline_access is left out where the provider lists its
// scopes and that is not among them: Google refuses it.
func (p *Provider) scopes(doc *document) []string {
	scopes := []string{gooidc.ScopeOpenID, gooidc.ScopeProfile, gooidc.ScopeEmail}
	if len(doc.Scopes) == 0 || slices.Contains(doc.Scopes, gooidc.ScopeOfflineAccess) {
		scopes = append(scopes, gooidc.ScopeOfflineAccess)
	}
	for _, scope := range p.cfg.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// parameters are the optional ones of the authorization request (OpenID Connect Core 1.0, section 3.1.2.1).
func (p *Provider) parameters(o BeginOptions) []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	set := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name, value := range p.cfg.ExtraParameters {
		set(name, value)
	}
	set("acr_values", strings.Join(p.cfg.ACRValues, " "))
	set("domain_hint", p.cfg.DomainHint)
	prompt := orDefault(o.Prompt, p.cfg.Prompt)
	if o.MaxAge != nil {
		seconds := int64(max(0, *o.MaxAge) / time.Second)
		set("max_age", strconv.FormatInt(seconds, 10))
		if seconds == 0 && prompt == "" {
			prompt = "login" // the same by the standard, and Entra takes only this
		}
	}
	set("prompt", p.dialect.prompt(prompt))
	if len(o.LoginHint) <= maxHint && !strings.ContainsFunc(o.LoginHint, unicode.IsControl) {
		set("login_hint", o.LoginHint)
	}
	if p.cfg.ResponseMode == ResponseModeFormPost {
		set("response_mode", ResponseModeFormPost)
	}
	return options
}

// Finish completes a sign-in with the parameters of the callback: it checks that they answer the attempt,
// redeems the code, verifies the ID token and says who it is. Every error is an *Error; nothing in params is
// believed, or repeated, before state has matched.
func (p *Provider) Finish(ctx context.Context, a Attempt, params url.Values) (*SignIn, error) {
	signIn, err := p.finish(ctx, a, params)
	if err != nil {
		return nil, err
	}
	return signIn, nil
}

func (p *Provider) finish(ctx context.Context, a Attempt, params url.Values) (*SignIn, *Error) {
	if err := p.checkCallback(a, params); err != nil {
		return nil, err
	}
	doc, err := p.discovery.get(ctx)
	if err != nil {
		return nil, unreachable("reading the discovery document", err)
	}
	if err := p.checkResponseIssuer(doc, params); err != nil {
		return nil, err
	}
	if params.Has("error") {
		return nil, callbackRefusal(params).refusal(p.dialect, p.cfg)
	}
	token, refusal := p.exchange(ctx, doc, a, params.Get("code"))
	if refusal != nil {
		return nil, refusal
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, misconfigured("The provider gave no ID token: allow the scope openid to the application.",
			errors.New("the token endpoint's answer has no id_token"))
	}
	c, refusal := p.verifyIDToken(ctx, doc, raw,
		expected{nonce: a.Nonce, accessToken: token.AccessToken, signedInSince: a.signedInSince()})
	if refusal != nil {
		return nil, refusal
	}
	c, more, refusal := p.complete(ctx, doc, c, token, nil)
	if refusal != nil {
		return nil, refusal
	}
	identity, refusal := p.resolve(ctx, doc, c)
	if refusal != nil {
		return nil, refusal
	}
	identity.ByUserinfo = more
	return &SignIn{
		Identity:     identity,
		IDToken:      raw,
		RefreshToken: token.RefreshToken,
		LogoutHint:   p.dialect.logoutHint(c),
		AuthTime:     c.instant("auth_time"),
	}, nil
}

// signedInSince is the earliest auth_time that satisfies the max_age that was sent; zero when none was.
func (a Attempt) signedInSince() time.Time {
	if a.MaxAge == nil {
		return time.Time{}
	}
	return a.IssuedAt.Add(-*a.MaxAge)
}

// single are the parameters that a callback may have only once: of two, one program would take the first and
// another the last.
var single = []string{
	"state", "code", "iss", "error", "error_description", "error_subcode", "suberror", "error_uri",
	"session_state", "id_token", "access_token",
}

// checkCallback holds a callback to the attempt that it claims to answer.
func (p *Provider) checkCallback(a Attempt, params url.Values) *Error {
	const remedy = "Nothing, if it is rare: an old page or a copied link. Many of these may be an attack."
	if a.Provider != p.cfg.Name || a.State == "" || a.Nonce == "" || a.Verifier == "" {
		return invalid(remedy,
			fmt.Errorf("the attempt is of the provider %s, or is not whole", quoted(a.Provider)))
	}
	if len(params) > maxParams {
		return invalid(remedy, fmt.Errorf("the callback has %d parameters", len(params)))
	}
	for name, values := range params {
		if len(values) > 1 && slices.Contains(single, name) {
			return invalid(remedy, fmt.Errorf("the callback has %s %d times", name, len(values)))
		}
		if len(name) > maxParam ||
			slices.ContainsFunc(values, func(v string) bool { return len(v) > maxParam }) {
			return invalid(remedy, errors.New("a parameter of the callback is too long"))
		}
	}
	if subtle.ConstantTimeCompare([]byte(params.Get("state")), []byte(a.State)) != 1 {
		return invalid(remedy, errors.New("the callback's state is not the attempt's"))
	}
	if age := p.now().Sub(a.IssuedAt); age > attemptLife {
		e := invalid("Nothing: the person took longer than an hour.",
			fmt.Errorf("the attempt is %v old", age.Round(time.Second)))
		e.Message = sayStale
		return e
	}
	if !params.Has("error") && params.Get("code") == "" {
		return invalid("The provider must answer with a code or an error.",
			errors.New("the callback has neither code nor error"))
	}
	return nil
}

// checkResponseIssuer holds a callback to its issuer when it names one, as it must when the provider says
// that it always does (RFC 9207, section 2.4): the defence against one provider's code being carried to
// another.
func (p *Provider) checkResponseIssuer(doc *document, params url.Values) *Error {
	const remedy = "The callback is of another provider. Many of these may be an attack."
	if !params.Has("iss") {
		if doc.IssInResponse {
			return invalid(remedy, errors.New("the callback has no iss, which this provider always sends"))
		}
		return nil
	}
	iss := params.Get("iss")
	if iss == doc.IssuerURL ||
		strings.Contains(doc.IssuerURL, tenantPlaceholder) && p.dialect.handlesIssuer(doc, iss) {
		return nil
	}
	return invalid(remedy, fmt.Errorf("the callback's iss is %s, not %s", quoted(iss), doc.IssuerURL))
}

// exchange redeems the code, in one request: a code that may have reached the provider is never sent again.
func (p *Provider) exchange(
	ctx context.Context, doc *document, a Attempt, code string,
) (*oauth2.Token, *Error) {
	return p.redeem(ctx, doc, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {p.cfg.RedirectURL},
		"code_verifier": {a.Verifier},
	}, a.State, a.Nonce)
}

// redeem sends a grant to the token endpoint. The grant's values and secrets are redacted from any refusal.
func (p *Provider) redeem(
	ctx context.Context, doc *document, grant url.Values, secrets ...string,
) (*oauth2.Token, *Error) {
	token, err := p.auth.redeem(gooidc.ClientContext(ctx, p.client), doc, doc.TokenURL, grant)
	if err != nil {
		secrets = slices.Concat(secrets, p.auth.secrets(), grant["code"], grant["code_verifier"],
			grant["refresh_token"])
		return nil, p.tokenRefusal(err, grant.Get("grant_type"), secrets...)
	}
	return token, nil
}
