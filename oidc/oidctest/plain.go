package oidctest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	plainCodeLifetime   = 5 * time.Minute
	plainTokenLifetime  = time.Hour
	eventBackChannel    = "http://schemas.openid.net/event/backchannel-logout"
	plainRefreshIdle    = 30 * 24 * time.Hour
	plainLogoutLifetime = 2 * time.Minute
)

// PlainOptions set a plain OpenID provider up. There is no clock among them: the library
// underneath keeps the machine's.
type PlainOptions struct {
	BaseURL    string    // the issuer; required by NewPlain. StartPlain takes only its path
	Rand       io.Reader // default crypto/rand
	AutoSignIn bool      // obey demo_auto=1 at the authorization endpoint
	TLS        bool      // StartPlain serves https with a certificate of its own; see CAPEM

	ThinIDTokens       bool // leave the scopes' claims to userinfo wherever there is an access token
	OpaqueAccessTokens bool // instead of JWTs
}

// Plain is a standard OpenID provider without manners of its own. The protocol is the certified
// github.com/zitadel/oidc; people, sign-in page and storage are this package's. Groups and roles are claims
// of the scopes groups and roles.
type Plain struct {
	*Double
	options  PlainOptions
	keys     *Keyring
	provider *op.Provider
	codes    *lru.Cache[string, *plainRequest]
}

// StartPlain serves a plain provider on a port of the loopback interface until the test ends.
func StartPlain(t TB, options PlainOptions) *Plain {
	t.Helper()
	l, err := listen(options.BaseURL, options.TLS)
	if err != nil {
		t.Fatalf("starting the plain provider: %v", err)
	}
	options.BaseURL = l.base
	p, err := NewPlain(options)
	if err != nil {
		t.Fatalf("starting the plain provider: %v", err)
	}
	l.serve(p.Double)
	t.Cleanup(p.Close)
	return p
}

// NewPlain makes a plain provider for a program that serves it below options.BaseURL itself.
func NewPlain(options PlainOptions) (*Plain, error) {
	d, err := newDouble(settings{
		baseURL: options.BaseURL, random: options.Rand, autoSignIn: options.AutoSignIn,
		newID: func(name string, nth int) string { return derivedGUID(fmt.Sprint("plain", name, nth)) },
		page: pageStyle{
			Title: "OpenID provider", Accent: "#c2410c", cookie: "op_session", newSID: (*random).guid,
		},
	})
	if err != nil {
		return nil, err
	}
	p := &Plain{Double: d, options: options, keys: newKeyring("", NewKey), codes: newCache[*plainRequest]()}
	config := &op.Config{
		CryptoKey:                [32]byte(d.random.bytes(32)),
		DefaultLogoutRedirectURI: d.url("/signed-out"),
		CodeMethodS256:           true,
		AuthMethodPost:           true,
		AuthMethodPrivateKeyJWT:  true,
		GrantTypeRefreshToken:    true,
		SupportedScopes: []string{
			"openid", "profile", "email", "offline_access", "groups", "roles",
		},
		BackChannelLogoutSupported:        true,
		BackChannelLogoutSessionSupported: true,
	}
	p.provider, err = op.NewProvider(config, plainStorage{p}, op.StaticIssuer(d.BaseURL()),
		op.WithAllowInsecure())
	if err != nil {
		return nil, fmt.Errorf("setting the plain provider up: %w", err)
	}
	p.routes()
	return p, nil
}

// Issuer is the base URL.
func (p *Plain) Issuer() string { return p.BaseURL() }

// Keys are the keys that the provider signs with.
func (p *Plain) Keys() *Keyring { return p.keys }

func (p *Plain) routes() {
	library := p.provider.ServeHTTP
	p.handle("/.well-known/openid-configuration", EndpointDiscovery, library)
	p.handle("/keys", EndpointKeys, library)
	p.handle("/authorize", EndpointAuthorize, p.authorize)
	p.handle("/authorize/callback", EndpointOther, library)
	p.handle("/oauth/token", EndpointToken, p.token)
	p.handle("/oauth/introspect", EndpointIntrospect, library)
	p.handle("/userinfo", EndpointUserInfo, library)
	p.handle("/revoke", EndpointRevoke, library)
	p.handle("/end_session", EndpointLogout, p.endSession)
	p.handle("GET /login", EndpointSignIn, p.login)
	p.handle("POST /sign-in", EndpointSignIn, func(w http.ResponseWriter, r *http.Request) {
		p.choose(w, r, plainAuthorizer{p})
	})
	p.handle("GET /signed-out", EndpointOther, func(w http.ResponseWriter, _ *http.Request) {
		p.show(w, http.StatusOK, "signedout.html", page{})
	})
}

// plainKey carries what the library does not pass on to its storage.
type plainKey int

const (
	keyParams  plainKey = iota // url.Values of the authorization request, demo_auto among them
	keySession                 // *session of the browser that signs out
)

func (p *Plain) authorize(w http.ResponseWriter, r *http.Request) {
	params, err := readForm(r)
	if err != nil {
		p.showProblem(w, http.StatusBadRequest, "400", err.Error())
		return
	}
	p.recordAuthorize(AuthorizeRequest{At: p.now(), Path: r.URL.Path, Params: params})
	p.provider.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyParams, params)))
}

func (p *Plain) token(w http.ResponseWriter, r *http.Request) {
	if _, err := readForm(r); err != nil {
		writeJSON(w, http.StatusBadRequest,
			map[string]string{"error": "invalid_request", "error_description": err.Error()})
		return
	}
	credentials := readCredentials(r, r.PostForm)
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	p.provider.ServeHTTP(recorder, r)
	p.recordToken(TokenRequest{
		At: p.now(), Path: r.URL.Path, GrantType: r.PostForm.Get("grant_type"), ClientID: credentials.id,
		ClientAuth: credentials.method, Form: r.PostForm, Header: r.Header, Status: recorder.status,
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (p *Plain) endSession(w http.ResponseWriter, r *http.Request) {
	p.provider.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keySession, p.session(r))))
}

// login is where the library sends a browser whose request it found good. From here on the sign-in is the
// same as at the other doubles.
func (p *Plain) login(w http.ResponseWriter, r *http.Request) {
	a, ok := p.ledger.pending.Get(r.URL.Query().Get("id"))
	if !ok {
		p.showProblem(w, http.StatusBadRequest, "This sign-in is out of date.",
			"Go back to the application and start again.")
		return
	}
	p.signIn(w, r, a, plainAuthorizer{p})
}

// plainAuthorizer ends sign-ins by the book.
type plainAuthorizer struct{ *Plain }

func (p plainAuthorizer) candidates(*authorization) []Person { return p.People() }

func (p plainAuthorizer) stranger(w http.ResponseWriter, _ *http.Request, _ *authorization, _ string) {
	p.showProblem(w, http.StatusUnauthorized, "Unable to sign in", "There is no such person here.")
}

func (p plainAuthorizer) refuse(w http.ResponseWriter, r *http.Request, a *authorization, why refusal) {
	code := map[refusal]string{
		refusedByPerson: "access_denied", loginRequired: "login_required",
		mfaRequired: "interaction_required",
	}[why]
	p.answer(w, r, a, url.Values{"error": {code}})
}

func (p plainAuthorizer) grantTo(
	w http.ResponseWriter, r *http.Request, a *authorization, person Person, s *session,
) {
	if person.Disabled || person.Suspended {
		p.closeSession(w, s)
		p.showProblem(w, http.StatusUnauthorized, "Unable to sign in", "This account is not active.")
		return
	}
	if person.Unassigned || person.MFARequired {
		p.answer(w, r, a, url.Values{"error": {"access_denied"}})
		return
	}
	p.reached(s, a.client.ID)
	a.request.finish(&grant{
		client: a.client.ID, person: person.ID, scopes: a.scopes, authTime: s.authTime, sid: s.sid,
		issued: p.now(), generation: person.generation,
	})
	redirect(w, op.AuthCallbackURL(p.provider)(op.ContextWithIssuer(r.Context(), p.Issuer()), a.request.id))
}

// IDTokenClaims are the claims of a good ID token, for a test to spoil and Sign.
func (p *Plain) IDTokenClaims(who, clientID, nonce string) Claims {
	person, _ := p.Person(who)
	now := p.now()
	claims := Claims{
		"iss": p.Issuer(), "sub": person.ID, "aud": []string{clientID}, "azp": clientID, "iat": now.Unix(),
		"exp":       now.Add(plainTokenLifetime).Unix(),
		"auth_time": now.Unix(), "nonce": nonce, "sid": p.page.newSID(p.random),
	}
	for name, value := range plainProfile(person, []string{"profile", "email", "groups", "roles"}) {
		claims[name] = value
	}
	return claims.override(person)
}

// AccessTokenClaims are the claims of a good access token (RFC 9068, section 2.2) for an API, delegated by a
// person to a client. Its header says at+jwt where a test signs it so.
func (p *Plain) AccessTokenClaims(who, clientID, audience string, scopes ...string) Claims {
	person, _ := p.Person(who)
	return p.apiClaims(person.ID, clientID, audience, scopes).With("auth_time", p.now().Unix())
}

// ServiceTokenClaims are those of a program's own access token: it is its own sub.
func (p *Plain) ServiceTokenClaims(clientID, audience string, scopes ...string) Claims {
	return p.apiClaims(clientID, clientID, audience, scopes)
}

func (p *Plain) apiClaims(sub, clientID, audience string, scopes []string) Claims {
	now := p.now()
	return Claims{
		"iss": p.Issuer(), "sub": sub, "aud": audience, "client_id": clientID,
		"scope": strings.Join(scopes, " "), "jti": p.random.guid(),
		"iat": now.Unix(), "exp": now.Add(plainTokenLifetime).Unix(),
	}
}

// Sign signs claims with the active key.
func (p *Plain) Sign(claims Claims, options ...SignOption) string {
	token, err := p.sign(claims, options...)
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}

func (p *Plain) sign(claims Claims, options ...SignOption) (string, error) {
	key, err := p.keys.Active()
	if err != nil {
		return "", err
	}
	return sign(key, claims, options...)
}

// LogoutTokenClaims are the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4)
// about a person or, when sid is given too, one session of theirs. Either may be empty.
func (p *Plain) LogoutTokenClaims(clientID, sub, sid string) Claims {
	now := p.now()
	claims := Claims{
		"iss": p.Issuer(), "aud": clientID, "iat": now.Unix(), "exp": now.Add(plainLogoutLifetime).Unix(),
		"jti": p.random.guid(), "events": map[string]any{eventBackChannel: map[string]any{}},
	}
	if sub != "" {
		claims["sub"] = sub
	}
	if sid != "" {
		claims["sid"] = sid
	}
	return claims
}

// BackChannelLogout posts a logout token to a client's endpoint and returns the status of the answer.
func (p *Plain) BackChannelLogout(
	ctx context.Context, client *http.Client, endpoint string, claims Claims, options ...SignOption,
) (int, error) {
	token, err := p.sign(claims, append([]SignOption{Header("typ", "logout+jwt")}, options...)...)
	if err != nil {
		return 0, err
	}
	return post(ctx, client, endpoint, "application/x-www-form-urlencoded", "",
		[]byte(url.Values{"logout_token": {token}}.Encode()))
}

// plainProfile is what the scopes entitle a client to know.
func plainProfile(person Person, scopes []string) Claims {
	claims := Claims{}
	for _, scope := range scopes {
		switch scope {
		case "profile":
			claims["name"], claims["given_name"], claims["family_name"],
				claims["preferred_username"] = person.Name, person.GivenName, person.FamilyName, person.Login
		case "email":
			claims["email"], claims["email_verified"] = person.Email, !person.EmailUnverified
		case "groups":
			claims["groups"] = append([]string{}, person.Groups...)
		case "roles":
			claims["roles"] = append([]string{}, person.Roles...)
		}
	}
	return claims
}
