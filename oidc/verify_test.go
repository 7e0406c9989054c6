package oidc

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// compact is an unsigned token; the signature goes behind it.
func compact(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
}

// hs256 signs with a public key as if it were a secret.
func hs256(t *testing.T, by signer, claims map[string]any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(by.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	token := compact(t, map[string]any{"alg": "HS256", "kid": by.kid}, claims)
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(token))
	return token + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// E9, F7: ID tokens that are not what they should be.
func TestIDTokenAttacks(t *testing.T) {
	t.Parallel()
	claim := func(changes map[string]any) func(*testing.T, *idp, map[string]any) string {
		return func(_ *testing.T, f *idp, c map[string]any) string {
			return f.signer.sign(but(c, changes), nil)
		}
	}
	header := func(h map[string]any) func(*testing.T, *idp, map[string]any) string {
		return func(_ *testing.T, f *idp, c map[string]any) string { return f.signer.sign(c, h) }
	}
	now := newClock().Now()
	tests := map[string]struct {
		token func(t *testing.T, f *idp, c map[string]any) string
		code  string // "": signs in
	}{
		"as it should be": {token: claim(nil)},

		"alg none": {token: func(t *testing.T, _ *idp, c map[string]any) string {
			return compact(t, map[string]any{"alg": "none"}, c) + "."
		}, code: CodeSignInInvalid},
		"alg None, with a kid": {token: func(t *testing.T, f *idp, c map[string]any) string {
			return compact(t, map[string]any{"alg": "None", "kid": f.signer.kid}, c) + ".AA"
		}, code: CodeSignInInvalid},
		"HS256 with the public key": {token: func(t *testing.T, f *idp, c map[string]any) string {
			return hs256(t, f.signer, c)
		}, code: CodeSignInInvalid},
		"no signature": {token: func(_ *testing.T, f *idp, c map[string]any) string {
			signed := f.signer.sign(c, nil)
			return signed[:strings.LastIndex(signed, ".")+1]
		}, code: CodeSignInInvalid},
		"claims exchanged": {token: func(t *testing.T, f *idp, c map[string]any) string {
			parts := strings.Split(f.signer.sign(c, nil), ".")
			other := strings.Split(compact(t, nil, but(c, map[string]any{"sub": "00uMallory"})), ".")
			return parts[0] + "." + other[1] + "." + parts[2]
		}, code: CodeSignInInvalid},
		"another key": {token: func(_ *testing.T, _ *idp, c map[string]any) string {
			return newSigner(1, "kid-0").sign(c, nil)
		}, code: CodeSignInInvalid},
		"key brought along": {token: header(map[string]any{
			"jwk": jose.JSONWebKey{Key: rsaKeys()[1].Public(), KeyID: "evil"},
			"jku": "https://evil.example/keys",
		}), code: ""},
		"signed by its own jwk": {token: func(_ *testing.T, _ *idp, c map[string]any) string {
			return newSigner(1, "evil").
				sign(c, map[string]any{"jwk": jose.JSONWebKey{Key: rsaKeys()[1].Public(), KeyID: "evil"}})
		}, code: CodeSignInInvalid},
		"unknown critical header": {
			token: header(map[string]any{"crit": []string{"exp2"}, "exp2": 1}), code: CodeSignInInvalid,
		},
		"JSON serialization": {token: func(t *testing.T, f *idp, c map[string]any) string {
			parts := strings.Split(f.signer.sign(c, nil), ".")
			raw, err := json.Marshal(map[string]string{
				"protected": parts[0], "payload": parts[1], "signature": parts[2],
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}, code: CodeSignInInvalid},
		"encrypted": {token: func(*testing.T, *idp, map[string]any) string {
			return "a.b.c.d.e"
		}, code: CodeSignInInvalid},
		"empty": {
			token: func(*testing.T, *idp, map[string]any) string { return "" }, code: CodeProviderMisset,
		},
		"dots": {token: func(*testing.T, *idp, map[string]any) string {
			return strings.Repeat(".", 500_000)
		}, code: CodeSignInInvalid},
		"garbage": {
			token: func(*testing.T, *idp, map[string]any) string { return "a.b.c" }, code: CodeSignInInvalid,
		},
		"huge": {
			token: claim(map[string]any{"groups": strings.Repeat("g", 64<<10)}), code: CodeSignInInvalid,
		},
		"nearly huge": {token: claim(map[string]any{"groups": strings.Repeat("g", 40<<10)})},

		"typ JWT":      {token: header(map[string]any{"typ": "JWT"})},
		"typ jwt":      {token: header(map[string]any{"typ": "jwt"})},
		"access token": {token: header(map[string]any{"typ": "at+jwt"}), code: CodeSignInInvalid},
		"logout token": {token: header(map[string]any{"typ": "logout+jwt"}), code: CodeSignInInvalid},
		"event":        {token: header(map[string]any{"typ": "secevent+jwt"}), code: CodeSignInInvalid},
		"revocation": {
			token: header(map[string]any{"typ": "global-token-revocation+jwt"}), code: CodeSignInInvalid,
		},
		"typ no string": {token: header(map[string]any{"typ": 1}), code: CodeSignInInvalid},

		"another issuer": {
			token: claim(map[string]any{"iss": "https://evil.example"}), code: CodeSignInInvalid,
		},
		"issuer with a slash": {token: func(_ *testing.T, f *idp, c map[string]any) string {
			return f.signer.sign(but(c, map[string]any{"iss": c["iss"].(string) + "/"}), nil)
		}, code: CodeSignInInvalid},
		"the org's issuer": {token: func(_ *testing.T, f *idp, c map[string]any) string {
			return f.signer.sign(but(c, map[string]any{"iss": f.URL}), nil)
		}, code: CodeSignInInvalid},
		"no issuer":        {token: claim(map[string]any{"iss": nil}), code: CodeSignInInvalid},
		"another audience": {token: claim(map[string]any{"aud": "0oaOther"}), code: CodeSignInInvalid},
		"no audience":      {token: claim(map[string]any{"aud": nil}), code: CodeSignInInvalid},
		"audience in other case": {
			token: claim(map[string]any{"aud": strings.ToUpper(clientID)}), code: CodeSignInInvalid,
		},
		"audience under AUD": {
			token: claim(map[string]any{"aud": "0oaOther", "AUD": clientID}), code: CodeSignInInvalid,
		},
		"issuer under Iss": {token: func(_ *testing.T, f *idp, c map[string]any) string {
			return f.signer.sign(but(c, map[string]any{"iss": "https://evil.example", "Iss": c["iss"]}), nil)
		}, code: CodeSignInInvalid},
		"audience list of us": {token: claim(map[string]any{"aud": []string{clientID}})},
		"two audiences, no azp": {
			token: claim(map[string]any{"aud": []string{clientID, "0oaOther"}}), code: CodeSignInInvalid,
		},
		"two audiences, azp us": {
			token: claim(map[string]any{"aud": []string{clientID, "0oaOther"}, "azp": clientID}),
		},
		"two audiences, azp them": {
			token: claim(map[string]any{"aud": []string{clientID, "0oaOther"}, "azp": "0oaOther"}),
			code:  CodeSignInInvalid,
		},
		"one audience, azp them": {token: claim(map[string]any{"azp": "0oaOther"}), code: CodeSignInInvalid},
		"azp no string":          {token: claim(map[string]any{"azp": 5}), code: CodeSignInInvalid},
		"another nonce":          {token: claim(map[string]any{"nonce": "n-other"}), code: CodeSignInInvalid},
		"no nonce":               {token: claim(map[string]any{"nonce": nil}), code: CodeSignInInvalid},
		"nonce no string":        {token: claim(map[string]any{"nonce": 7}), code: CodeSignInInvalid},
		"no exp":                 {token: claim(map[string]any{"exp": nil}), code: CodeSignInInvalid},
		"exp null": {
			token: claim(map[string]any{"exp": json.RawMessage("null")}), code: CodeSignInInvalid,
		},
		"exp no number": {token: claim(map[string]any{"exp": "tomorrow"}), code: CodeSignInInvalid},
		"exp 59 s ago":  {token: claim(map[string]any{"exp": now.Add(-59 * time.Second).Unix()})},
		"exp 61 s ago": {
			token: claim(map[string]any{"exp": now.Add(-61 * time.Second).Unix()}), code: CodeSignInInvalid,
		},
		"nbf in an hour": {
			token: claim(map[string]any{"nbf": now.Add(time.Hour).Unix()}), code: CodeSignInInvalid,
		},
		"no sub":    {token: claim(map[string]any{"sub": nil}), code: CodeSignInInvalid},
		"empty sub": {token: claim(map[string]any{"sub": ""}), code: CodeSignInInvalid},
		"long sub": {
			token: claim(map[string]any{"sub": strings.Repeat("0", 256)}), code: CodeSignInInvalid,
		},
		"sub with a line break": {token: claim(map[string]any{"sub": "00u1\n00u2"}), code: CodeSignInInvalid},
		"sub no string":         {token: claim(map[string]any{"sub": 17}), code: CodeSignInInvalid},
		"at_hash of another token": {
			token: claim(map[string]any{"at_hash": atHash("another")}), code: CodeSignInInvalid,
		},
		"no at_hash": {token: claim(map[string]any{"at_hash": nil})},
		"payload no object": {token: func(_ *testing.T, f *idp, _ map[string]any) string {
			return signRaw(f.signer, `["a"]`)
		}, code: CodeSignInInvalid},
		"payload null": {token: func(_ *testing.T, f *idp, _ map[string]any) string {
			return signRaw(f.signer, `null`)
		}, code: CodeSignInInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			a, _ := begin(t, p, BeginOptions{})
			c := f.oktaClaims()
			c["nonce"] = a.Nonce
			f.gives(test.token(t, f, c))
			s, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}})
			if test.code == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			refused(t, err, test.code)
			if s != nil {
				t.Error("an error came with a sign-in")
			}
		})
	}
}

func signRaw(by signer, payload string) string {
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: by.private},
		(&jose.SignerOptions{}).WithHeader("kid", by.kid))
	if err != nil {
		panic(err)
	}
	signed, err := made.Sign([]byte(payload))
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// A document that allows what must never be allowed does not get it.
func TestAlgorithmsOfTheDocument(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	f.document["id_token_signing_alg_values_supported"] = []string{"none", "HS256", "RS256"}
	p := f.okta(t, Config{})
	for name, token := range map[string]func(map[string]any) string{
		"none":  func(c map[string]any) string { return compact(t, map[string]any{"alg": "none"}, c) + "." },
		"HS256": func(c map[string]any) string { return hs256(t, f.signer, c) },
	} {
		a, _ := begin(t, p, BeginOptions{})
		f.gives(token(but(f.oktaClaims(), map[string]any{"nonce": a.Nonce})))
		_, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}})
		t.Run(name, func(t *testing.T) { refused(t, err, CodeSignInInvalid) })
	}
	f.signedIn(t, p, f.oktaClaims())
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	five := 5 * time.Minute
	for name, test := range map[string]struct {
		ago  time.Duration
		code string
	}{
		"just now":    {ago: time.Second},
		"in time":     {ago: 5 * time.Minute},
		"too old":     {ago: 7 * time.Minute, code: CodeLoginRequired},
		"not told":    {ago: -1, code: CodeLoginRequired}, // max_age may have been taken out
		"the day off": {ago: 24 * time.Hour, code: CodeLoginRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			a, _ := begin(t, p, BeginOptions{MaxAge: &five})
			// The attempt goes through a cookie.
			raw, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			var back Attempt
			if err := json.Unmarshal(raw, &back); err != nil {
				t.Fatal(err)
			}
			c := maps.Clone(f.oktaClaims())
			c["nonce"], c["auth_time"] = a.Nonce, f.clock.Now().Add(-test.ago).Unix()
			if test.ago < 0 {
				delete(c, "auth_time")
			}
			f.gives(f.signer.sign(c, nil))
			s, err := p.Finish(t.Context(), back, url.Values{"state": {a.State}, "code": {"c"}})
			if test.code != "" {
				refused(t, err, test.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.AuthTime.IsZero() {
				t.Errorf("auth time %v", s.AuthTime)
			}
		})
	}
}
