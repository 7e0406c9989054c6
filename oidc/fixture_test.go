package oidc

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vexa-sso/oidc/oidctest"
)

// The people and places of the tests.
const (
	clientID    = "0oa1sim7Kq9WzPb2c5d7"
	redirectURL = "http://127.0.0.1:4180/sso/callback/sim"
	tenantA     = "7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3"
	tenantB     = "c3d4e5f6-0b1a-4c2d-8e3f-9a8b7c6d5e4f"
	adaOID      = "e4b7d8a1-6c35-4f02-9a8e-71d2c5f0b346"
	adaOkta     = "00u1sim4Rt8YxNa3e6f7"
)

func newClock() *oidctest.Clock {
	return oidctest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
}

// signer is a signing key of the fixture.
type signer struct {
	kid     string
	private *rsa.PrivateKey
	extra   map[string]any // more members of the published key
}

var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func newSigner(nth int, kid string) signer { return signer{kid: kid, private: rsaKeys()[nth]} }

func (s signer) with(name string, value any) signer {
	s.extra = maps.Clone(s.extra)
	if s.extra == nil {
		s.extra = map[string]any{}
	}
	s.extra[name] = value
	return s
}

func (s signer) published() map[string]any {
	jwk := published(jose.JSONWebKey{Key: s.private.Public(), KeyID: s.kid, Use: "sig"})
	maps.Copy(jwk, s.extra)
	return jwk
}

// published is a key as it is in a set.
func published(key jose.JSONWebKey) (jwk map[string]any) {
	raw, err := json.Marshal(key)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(raw, &jwk); err != nil {
		panic(err)
	}
	return jwk
}

// withCertificate adds a real self-signed certificate and its thumbprint, as Entra publishes them.
func (s signer) withCertificate() signer {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "accounts.accesscontrol.windows.net"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.private.Public(), s.private)
	if err != nil {
		panic(err)
	}
	thumb := sha1.Sum(der)
	s.kid = base64.RawURLEncoding.EncodeToString(thumb[:])
	return s.with("x5c", []string{base64.StdEncoding.EncodeToString(der)}).with("x5t", s.kid)
}

func (s signer) sign(claims map[string]any, header map[string]any) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", s.kid)
	for name, value := range header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: s.private}, options)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		panic(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// idp is a small provider whose every answer a test can change.
type idp struct {
	*httptest.Server
	clock  *oidctest.Clock
	signer signer

	mu       sync.Mutex
	hits     map[string]int
	answers  map[string]http.HandlerFunc // in place of the ordinary one, by the last part of the path
	document map[string]any
	keys     []map[string]any
	userinfo map[string]any
	asked    *http.Request // the last token request, its form parsed
	idToken  string        // that the token endpoint gives
	token    map[string]any
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	f := &idp{
		clock: newClock(), signer: newSigner(0, "kid-0"), hits: map[string]int{},
		answers: map[string]http.HandlerFunc{}, token: map[string]any{},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Server.Close)
	f.document = map[string]any{
		"authorization_endpoint":                f.URL + "/v1/authorize",
		"token_endpoint":                        f.URL + "/v1/token",
		"userinfo_endpoint":                     f.URL + "/v1/userinfo",
		"jwks_uri":                              f.URL + "/v1/keys",
		"end_session_endpoint":                  f.URL + "/v1/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
	}
	f.publish(f.signer)
	return f
}

func (f *idp) publish(keys ...signer) {
	var set []map[string]any
	for _, k := range keys {
		set = append(set, k.published())
	}
	f.change(func() { f.keys = set })
}

// change changes the fixture while it serves.
func (f *idp) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

func (f *idp) count(endpoint string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits[endpoint]
}

func (f *idp) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	endpoint := r.URL.Path[len(r.URL.Path)-len(lastSegment(r.URL.Path)):]
	f.hits[endpoint]++
	answer := f.answers[endpoint]
	if endpoint == "token" && r.ParseForm() == nil {
		f.asked = r
	}
	var body any
	switch endpoint {
	case "openid-configuration":
		body = f.document
	case "keys":
		body = map[string]any{"keys": f.keys}
	case "userinfo":
		body = f.userinfo
	case "token":
		tokens := map[string]any{
			"access_token": "at-canary-5d1f", "token_type": "Bearer", "expires_in": 3600,
			"refresh_token": "rt-canary-77ab", "id_token": f.idToken,
		}
		maps.Copy(tokens, f.token)
		body = tokens
	}
	raw, err := json.Marshal(body)
	f.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case err != nil || body == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(raw)
	}
}

func lastSegment(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// answer puts another answer in place of an endpoint's; nil restores it.
func (f *idp) answer(endpoint string, h http.HandlerFunc) {
	f.change(func() { f.answers[endpoint] = h })
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// provider makes a Provider of the fixture, closed at the end of the test.
func (f *idp) provider(t *testing.T, cfg Config) *Provider {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "sim"
	}
	if cfg.ClientID == "" {
		cfg.ClientID = clientID
	}
	cfg.RedirectURL = redirectURL
	p, err := New(cfg, Env{Now: f.clock.Now})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// okta makes the fixture an Okta custom authorization server, and a Provider of it.
func (f *idp) okta(t *testing.T, cfg Config) *Provider {
	cfg.Type, cfg.Issuer = TypeOkta, f.URL+"/oauth2/default"
	f.document["issuer"] = cfg.Issuer
	return f.provider(t, cfg)
}

// plain makes it any provider.
func (f *idp) plain(t *testing.T, cfg Config) *Provider {
	cfg.Type, cfg.Issuer = TypeOIDC, f.URL
	f.document["issuer"] = f.URL
	return f.provider(t, cfg)
}

// entra makes it Entra, of tenant A unless cfg says otherwise.
func (f *idp) entra(t *testing.T, cfg Config) *Provider {
	cfg.Type, cfg.Cloud = TypeEntra, f.URL
	if cfg.Tenant == "" {
		cfg.Tenant = tenantA
	}
	f.document["issuer"] = f.URL + "/" + cfg.Tenant + "/v2.0"
	if cfg.Tenant == "organizations" {
		f.document["issuer"] = f.URL + "/{tenantid}/v2.0"
	}
	f.document["token_endpoint_auth_methods_supported"] = []string{
		"client_secret_post", "private_key_jwt", "client_secret_basic",
	}
	f.document["cloud_instance_name"] = "microsoftonline.com"
	delete(f.document, "userinfo_endpoint")
	f.signer = f.signer.withCertificate().with("issuer", f.URL+"/{tenantid}/v2.0").with("cloud_instance_name",
		"microsoftonline.com")
	f.publish(f.signer)
	return f.provider(t, cfg)
}

// oktaClaims are Ada's in a fat Okta ID token.
func (f *idp) oktaClaims() map[string]any {
	return map[string]any{
		"iss": f.document["issuer"], "sub": adaOkta, "aud": clientID, "ver": 1, "idp": "00o1simOrg5Gh2Jk4Ld7",
		"iat": f.clock.Now().Unix(), "exp": f.clock.Now().Add(time.Hour).Unix(),
		"auth_time": f.clock.Now().Add(-10 * time.Second).Unix(),
		"name":      "Ada Byron", "email": "Ada.Byron@acme.example", "email_verified": true,
		"groups": []string{"Everyone", "vexa-users"},
		"amr":    []string{"pwd"}, "at_hash": atHash("at-canary-5d1f"),
	}
}

// entraClaims are Ada's in an Entra v2.0 ID token of tenant A.
func (f *idp) entraClaims() map[string]any {
	return map[string]any{
		"iss": f.URL + "/" + tenantA + "/v2.0", "aud": clientID, "ver": "2.0", "tid": tenantA, "oid": adaOID,
		"sub": "Q7simPairwiseSubjectAbCdEfGhIjKlMnOpQrStUv0",
		"iat": f.clock.Now().Add(-5 * time.Minute).Unix(), "nbf": f.clock.Now().Add(-5 * time.Minute).Unix(),
		"exp":  f.clock.Now().Add(time.Hour).Unix(),
		"acct": 0, "name": "Ada Byron", "email": "ada.byron@northwind.example", "xms_edov": true,
		"preferred_username": "ada.byron@northwind.example",
		"groups":             []string{"0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"},
		"roles":              []string{"Bridge.Admin"},
		"sid":                "00a1b2c3-44d5-4e66-8f77-889900aabbcc", "login_hint": "O.simhint",
		"aio": "AXQAi", "rh": "1.AXQA", "uti": "sIm0uti",
	}
}

func atHash(accessToken string) string {
	h := crypto.SHA256.New()
	h.Write([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// begin begins a sign-in and returns the attempt and the authorization request's parameters.
func begin(t *testing.T, p *Provider, o BeginOptions) (Attempt, url.Values) {
	t.Helper()
	redirect, a, err := p.Begin(t.Context(), o)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	return a, u.Query()
}

// signIn walks the whole flow: the person signs in, and the token endpoint gives an ID token of these claims,
// with the nonce unless they have one.
func (f *idp) signIn(t *testing.T, p *Provider, claims map[string]any) (*SignIn, error) {
	t.Helper()
	a, _ := begin(t, p, BeginOptions{})
	claims = maps.Clone(claims)
	if _, ok := claims["nonce"]; !ok {
		claims["nonce"] = a.Nonce
	}
	f.gives(f.signer.sign(claims, nil))
	return p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"code-canary-1"}})
}

// gives sets the ID token that the token endpoint gives.
func (f *idp) gives(idToken string) { f.change(func() { f.idToken = idToken }) }

// signedIn is signIn that must work.
func (f *idp) signedIn(t *testing.T, p *Provider, claims map[string]any) *SignIn {
	t.Helper()
	s, err := f.signIn(t, p, claims)
	if err != nil {
		t.Fatalf("sign-in failed: %v", err)
	}
	return s
}

// refused holds an error to be an *Error of a code.
func refused(t *testing.T, err error, code string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error with code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	if e.Message == "" || e.Remedy == "" {
		t.Errorf("%v lacks a message for the person or a remedy for the admin", err)
	}
	return e
}

// but is a copy of claims with some replaced; nil removes.
func but(claims map[string]any, changes map[string]any) map[string]any {
	claims = maps.Clone(claims)
	for name, value := range changes {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	return claims
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
