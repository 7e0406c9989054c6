package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The relying-party modules of the OpenID Foundation's conformance plans (basic, config, form-post,
// refresh token, logouts, third-party initiated login), by their names without the prefix
// oidcc-client-test-. What a module asks of endpoints, pages and cookies is shown where those are; here is
// what this package answers for.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, module := range map[string]func(*testing.T, *hostile){
		// must accept
		"idtoken-sig-rs256":            func(t *testing.T, h *hostile) { h.accepts(t) },
		"kid-absent-single-jwks":       kidAbsentSingle,
		"client-secret-basic":          clientSecretBasic,
		"scope-userinfo-claims":        scopeUserinfoClaims,
		"userinfo-bearer-header":       userinfoBearerHeader,
		"signing-key-rotation":         signingKeyRotation,
		"refresh-token":                refreshToken,
		"rp-init-logout":               rpInitLogout,
		"rp-init-logout-no-state":      rpInitLogoutNoState,
		"3rd-party-init-login":         thirdPartyInitLogin,
		"rp-frontchannel-rpinitlogout": frontChannel,
		"rp-frontchannel-opinitlogout": frontChannel,
		"rp-backchannel-rpinitlogout": func(t *testing.T, h *hostile) {
			is, err := h.p.VerifyLogoutToken(t.Context(), h.logoutToken(nil, nil))
			if err != nil || is.SID != "sid-1" || is.JTI != "jti-1" ||
				is.Subject != "oidc:"+h.idp.URL+"#ada" || !is.ExpiresAt.After(h.idp.clock.Now()) {
				t.Errorf("%+v, %v", is, err)
			}
		},
		"signing-key-rotation-just-before-signing": signingKeyRotationJustBefore,

		// must refuse
		"invalid-iss": func(t *testing.T, h *hostile) {
			h.claims["iss"] = "https://evil.example"
			h.refuses(t)
		},
		"missing-sub": func(t *testing.T, h *hostile) { delete(h.claims, "sub"); h.refuses(t) },
		"invalid-aud": func(t *testing.T, h *hostile) { h.claims["aud"] = "another"; h.refuses(t) },
		"missing-aud": func(t *testing.T, h *hostile) { delete(h.claims, "aud"); h.refuses(t) },
		"missing-iat": func(t *testing.T, h *hostile) { delete(h.claims, "iat"); h.refuses(t) },
		"nonce-invalid": func(t *testing.T, h *hostile) {
			h.claims["nonce"] = "another"
			h.refuses(t)
		},
		"kid-absent-multiple-jwks": kidAbsentMultiple,
		"idtoken-sig-none":         func(t *testing.T, h *hostile) { h.sign = unsigned; h.refuses(t) },
		"invalid-sig-rs256": func(t *testing.T, h *hostile) {
			h.sign = newSigner(1, h.idp.signer.kid).forge
			h.refuses(t)
		},
		"invalid-sig-es256":         invalidES256,
		"invalid-sig-hs256":         invalidHS256,
		"userinfo-invalid-sub":      userinfoInvalidSub,
		"discovery-issuer-mismatch": discoveryIssuerMismatch,
		"refresh-token-invalid-issuer": func(t *testing.T, h *hostile) {
			h.refusesRefresh(t, map[string]any{"iss": "https://evil.example"})
		},
		"refresh-token-invalid-sub": func(t *testing.T, h *hostile) {
			h.refusesRefresh(t, map[string]any{"sub": "mallory"})
		},
		"rp-init-logout-other-state": rpInitLogoutOtherState,

		"rp-backchannel-rpinitlogout-alg-none": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, unsigned(t, h.logoutClaims(nil)))
		},
		"rp-backchannel-rpinitlogout-no-event": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, h.logoutToken(map[string]any{"events": nil}, nil))
		},
		"rp-backchannel-rpinitlogout-with-nonce": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, h.logoutToken(map[string]any{"nonce": "n"}, nil))
		},
		"rp-backchannel-rpinitlogout-wrong-alg": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, macced(t, h.logoutClaims(nil), []byte(strings.Repeat("s", 32))))
		},
		"rp-backchannel-rpinitlogout-wrong-aud": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, h.logoutToken(map[string]any{"aud": "another"}, nil))
		},
		"rp-backchannel-rpinitlogout-wrong-event": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, h.logoutToken(map[string]any{
				"events": map[string]any{"http://schemas.openid.net/event/other": map[string]any{}},
			}, nil))
		},
		"rp-backchannel-rpinitlogout-wrong-iss": func(t *testing.T, h *hostile) {
			h.refusesLogout(t, h.logoutToken(map[string]any{"iss": "https://evil.example"}, nil))
		},
	} {
		for _, mode := range []string{ResponseModeQuery, ResponseModeFormPost} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				module(t, newHostile(t,
					Config{ClientSecret: "secret-canary-of-32-characters-00", ResponseMode: mode}))
			})
		}
	}
}

// hostile is a provider that a module makes misbehave, and a relying party that is
// pointed at it by settings alone.
type hostile struct {
	idp    *idp
	p      *Provider
	claims map[string]any // of the ID token; the nonce is added unless it is there
	sign   func(*testing.T, map[string]any) string
}

func newHostile(t *testing.T, cfg Config) *hostile {
	t.Helper()
	f := newIDP(t)
	h := &hostile{idp: f, p: f.plain(t, cfg)}
	h.claims = map[string]any{
		"iss": f.URL, "sub": "ada", "aud": clientID, "iat": f.clock.Now().Unix(),
		"exp":  f.clock.Now().Add(time.Hour).Unix(),
		"name": "Ada Byron", "email": "ada@acme.example", "email_verified": true, "sid": "sid-1",
	}
	h.sign = func(t *testing.T, c map[string]any) string { return f.signer.forge(t, c) }
	return h
}

func (s signer) forge(_ *testing.T, c map[string]any) string { return s.sign(c, nil) }

func (h *hostile) signIn(t *testing.T) (*SignIn, error) {
	t.Helper()
	a, _ := begin(t, h.p, BeginOptions{})
	c := maps.Clone(h.claims)
	if _, ok := c["nonce"]; !ok {
		c["nonce"] = a.Nonce
	}
	h.idp.gives(h.sign(t, c))
	return h.p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"code-1"}})
}

func (h *hostile) accepts(t *testing.T) *SignIn {
	t.Helper()
	s, err := h.signIn(t)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return s
}

func (h *hostile) refuses(t *testing.T) {
	t.Helper()
	_, err := h.signIn(t)
	refused(t, err, CodeSignInInvalid)
}

func (h *hostile) refusesRefresh(t *testing.T, change map[string]any) {
	t.Helper()
	was := h.accepts(t)
	h.idp.gives(h.sign(t, but(h.claims, change)))
	_, err := h.p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	refused(t, err, CodeSignInInvalid)
}

func (h *hostile) logoutClaims(change map[string]any) map[string]any {
	now := h.idp.clock.Now()
	return but(map[string]any{
		"iss": h.idp.URL, "sub": "ada", "sid": "sid-1", "aud": clientID, "iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(), "jti": "jti-1",
		"events": map[string]any{logoutEvent: map[string]any{}},
	}, change)
}

func (h *hostile) logoutToken(change, header map[string]any) string {
	return h.idp.signer.sign(h.logoutClaims(change), header)
}

func (h *hostile) refusesLogout(t *testing.T, token string) {
	t.Helper()
	_, err := h.p.VerifyLogoutToken(t.Context(), token)
	refused(t, err, CodeSignInInvalid)
}

func unsigned(t *testing.T, c map[string]any) string {
	t.Helper()
	return compact(t, map[string]any{"alg": "none"}, c) + "."
}

func macced(t *testing.T, c map[string]any, secret []byte) string {
	t.Helper()
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret},
		(&jose.SignerOptions{}).WithHeader("kid", "kid-0"))
	if err != nil {
		t.Fatal(err)
	}
	return serialized(t, made, c)
}

func serialized(t *testing.T, by jose.Signer, c map[string]any) string {
	t.Helper()
	signed, err := by.Sign(mustJSON(c))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func kidAbsentSingle(t *testing.T, h *hostile) {
	h.idp.signer = newSigner(0, "")
	h.idp.publish(h.idp.signer)
	h.accepts(t)
	h.idp.signer = newSigner(1, "") // and after a rotation, though the old key is remembered
	h.idp.publish(h.idp.signer)
	h.accepts(t)
}

func kidAbsentMultiple(t *testing.T, h *hostile) {
	h.idp.signer = newSigner(0, "")
	h.idp.publish(newSigner(0, "kid-0"), newSigner(1, "kid-1"))
	h.refuses(t)
}

func clientSecretBasic(t *testing.T, h *hostile) {
	h.accepts(t)
	user, secret, ok := h.idp.asked.BasicAuth()
	if !ok || user != clientID || secret != h.p.cfg.ClientSecret ||
		h.idp.asked.PostForm.Has("client_secret") {
		t.Errorf("shown %q, %v", user, h.idp.asked.PostForm)
	}
}

func scopeUserinfoClaims(t *testing.T, h *hostile) {
	for _, name := range []string{"name", "email", "email_verified"} {
		delete(h.claims, name)
	}
	h.idp.userinfo = map[string]any{
		"sub": "ada", "name": "Ada Byron", "email": "ada@acme.example", "email_verified": true,
	}
	if id := h.accepts(t).Identity; id.Name != "Ada Byron" || id.Email != "ada@acme.example" {
		t.Errorf("%+v", id)
	}
}

func userinfoBearerHeader(t *testing.T, h *hostile) {
	delete(h.claims, "name")
	asked := 0
	h.idp.answer("userinfo", func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "Bearer at-canary-5d1f" || r.URL.RawQuery != "" ||
			r.Method != http.MethodGet {
			t.Errorf("%s %s with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		status(200, `{"sub":"ada","name":"Ada Byron"}`)(w, r)
	})
	if id := h.accepts(t).Identity; id.Name != "Ada Byron" || asked != 1 {
		t.Errorf("%+v, asked %d times", id, asked)
	}
}

func signingKeyRotation(t *testing.T, h *hostile) {
	h.accepts(t)
	h.idp.signer = newSigner(1, "kid-1")
	h.idp.publish(newSigner(0, "kid-0"), h.idp.signer)
	h.accepts(t)
	h.idp.publish(h.idp.signer)
	h.accepts(t)
}

// The keys are read when the sign-in begins, and rotate before the ID token is signed.
func signingKeyRotationJustBefore(t *testing.T, h *hostile) {
	h.accepts(t)
	a, _ := begin(t, h.p, BeginOptions{})
	h.idp.answer("token", func(w http.ResponseWriter, r *http.Request) {
		next := newSigner(1, "kid-1")
		h.idp.publish(next)
		status(200, `{"access_token":"at","token_type":"Bearer","id_token":"`+
			next.sign(but(h.claims, map[string]any{"nonce": a.Nonce}), nil)+`"}`)(w, r)
	})
	if _, err := h.p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"code-1"}}); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func refreshToken(t *testing.T, h *hostile) {
	was := h.accepts(t)
	h.idp.gives(h.sign(t, but(h.claims, map[string]any{"name": "Ada Lovelace"})))
	h.idp.token["refresh_token"] = "rt-next"
	is, err := h.p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if form := h.idp.asked.PostForm; form.Get("grant_type") != "refresh_token" ||
		form.Get("refresh_token") != was.RefreshToken || form.Has("redirect_uri") || form.Has("code") {
		t.Errorf("asked %v", form)
	}
	if is.RefreshToken != "rt-next" || is.Identity.Subject != was.Identity.Subject ||
		is.Identity.Name != "Ada Lovelace" {
		t.Errorf("%+v", is)
	}
}

func endSession(t *testing.T, h *hostile) *url.URL {
	t.Helper()
	s := h.accepts(t)
	out, ok := h.p.EndSession(t.Context(), s.IDToken, s.LogoutHint,
		"https://vexa.acme.example/sso/signed-out")
	if !ok {
		t.Fatal("there is nowhere to sign out")
	}
	u, err := url.Parse(WithState(out, "state-1"))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("id_token_hint") != s.IDToken ||
		q.Get("post_logout_redirect_uri") != "https://vexa.acme.example/sso/signed-out" {
		t.Errorf("asked %v", q)
	}
	return u
}

func rpInitLogout(t *testing.T, h *hostile) {
	if q := endSession(t, h).Query(); q.Get("state") != "state-1" || len(q["state"]) != 1 {
		t.Errorf("the state is %q", q["state"])
	}
}

// The provider comes back without the state: what was signed out of stays so.
func rpInitLogoutNoState(t *testing.T, h *hostile) { endSession(t, h) }

// The state is ours to choose and to compare: it goes out unchanged.
func rpInitLogoutOtherState(t *testing.T, h *hostile) {
	if got := endSession(t, h).Query().Get("state"); got == "other" || got == "" {
		t.Errorf("the state is %q", got)
	}
}

// A front-channel logout names the issuer and the session that the ID token named.
func frontChannel(t *testing.T, h *hostile) {
	if sid := h.accepts(t).Identity.SID; sid != "sid-1" {
		t.Errorf("the session is %q", sid)
	}
	if !h.p.MatchesIssuer(h.idp.URL) || h.p.MatchesIssuer("https://evil.example") || h.p.MatchesIssuer("") {
		t.Error("the issuer is mistaken")
	}
}

// Whoever starts a sign-in names the issuer and gets a sign-in of our own making.
func thirdPartyInitLogin(t *testing.T, h *hostile) {
	if !h.p.HandlesIssuer(h.idp.URL) || h.p.HandlesIssuer("https://evil.example") {
		t.Error("the issuer is mistaken")
	}
	a, params := begin(t, h.p, BeginOptions{LoginHint: "ada@acme.example"})
	if params.Get("login_hint") != "ada@acme.example" || params.Get("state") != a.State ||
		params.Get("nonce") != a.Nonce {
		t.Errorf("asked %v", params)
	}
}

func invalidES256(t *testing.T, h *hostile) {
	published, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.idp.change(func() {
		h.idp.document["id_token_signing_alg_values_supported"] = []string{"ES256"}
		h.idp.keys = []map[string]any{signer{kid: "kid-0"}.ec(published)}
	})
	by := func(key *ecdsa.PrivateKey) func(*testing.T, map[string]any) string {
		return func(t *testing.T, c map[string]any) string {
			made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
				(&jose.SignerOptions{}).WithHeader("kid", "kid-0"))
			if err != nil {
				t.Fatal(err)
			}
			return serialized(t, made, c)
		}
	}
	h.sign = by(published)
	h.accepts(t)
	h.sign = by(other)
	h.refuses(t)
}

// ec is an EC key as published under the signer's kid.
func (s signer) ec(key *ecdsa.PrivateKey) map[string]any {
	return published(jose.JSONWebKey{Key: key.Public(), KeyID: s.kid, Use: "sig"})
}

// invalidHS256 signs with the client's secret and with the text of the public key, even where the
// provider says that it does.
func invalidHS256(t *testing.T, h *hostile) {
	h.idp.document["id_token_signing_alg_values_supported"] = []string{"RS256", "HS256"}
	der, err := x509.MarshalPKIXPublicKey(h.idp.signer.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{
		[]byte(h.p.cfg.ClientSecret), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		[]byte(strings.Repeat("x", 32)),
	} {
		h.sign = func(t *testing.T, c map[string]any) string { return macced(t, c, secret) }
		h.refuses(t)
	}
}

func userinfoInvalidSub(t *testing.T, h *hostile) {
	delete(h.claims, "name")
	h.idp.userinfo = map[string]any{"sub": "mallory", "name": "Ada Byron"}
	h.refuses(t)
}

func discoveryIssuerMismatch(t *testing.T, h *hostile) {
	h.idp.document["issuer"] = "https://evil.example"
	_, _, err := h.p.Begin(t.Context(), BeginOptions{})
	refused(t, err, CodeProviderMisset)
}
