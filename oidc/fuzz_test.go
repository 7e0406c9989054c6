package oidc

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzCallback feeds strangers' callbacks to what stands in front of the token endpoint. Only one that has
// our state, once, gets through; and whatever an error says reaches no person and breaks no line of the log.
func FuzzCallback(f *testing.F) {
	const state = "the-state"
	for _, seed := range []string{
		"state=the-state&code=c", "state=the-state&state=the-state&code=c", "code=c", "state=the-state",
		"state=THE-STATE&code=c", "state=the-state&iss=https://x&iss=&code=c",
		"state=the-state&error=access_denied&error_subcode=cancel",
		"state=the-state&error=server_error&error_description=AADSTS50105%0d%0aX",
		"state=the-state&error=%ff%00&error_description=%e2%80%ae", "state=the-state%00&code=c",
	} {
		f.Add(seed)
	}
	p, err := New(Config{
		Name: "sim", Type: TypeEntra, Tenant: tenantA, ClientID: clientID, RedirectURL: redirectURL,
	}, Env{Now: newClock().Now})
	if err != nil {
		f.Fatal(err)
	}
	doc := &document{}
	doc.IssuerURL = p.Issuer()
	attempt := Attempt{Provider: "sim", State: state, Nonce: "n", Verifier: "v", IssuedAt: newClock().Now().
		Add(-time.Minute)}
	f.Fuzz(func(t *testing.T, query string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if refusal := p.checkCallback(attempt, params); refusal != nil {
			if refusal.Code != CodeSignInInvalid {
				t.Errorf("%q: %v", query, refusal)
			}
			return
		}
		if got := params["state"]; len(got) != 1 || got[0] != state {
			t.Errorf("%q got through", query)
		}
		if refusal := p.checkResponseIssuer(doc, params); refusal == nil && params.Has("iss") &&
			params.Get("iss") != doc.IssuerURL {
			t.Errorf("%q got through", query)
		}
		for _, kind := range []string{TypeEntra, TypeOkta, TypeOIDC} {
			spoken, err := newDialect(Config{Type: kind})
			if err != nil {
				t.Fatal(err)
			}
			e := callbackRefusal(params).refusal(spoken, Config{Type: kind})
			if e.Code == "" || e.Message == "" || e.Remedy == "" || len(e.Error()+e.Message) > 4<<10 ||
				strings.ContainsFunc(e.Error()+e.Message, unicode.IsControl) {
				t.Errorf("%q becomes %q", query, e.Error())
			}
		}
	})
}

// FuzzKeys feeds published sets to the parser: what comes out can verify, and is bounded.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[]}`, `{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
		`{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[7,null,{}]}`, `{"keys":{}}`, `null`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, _, err := parseKeys(body)
		if err == nil && (len(keys) == 0 || len(keys) > maxSetKeys) {
			t.Errorf("%d keys", len(keys))
		}
		for _, key := range keys {
			if !key.Valid() || !key.IsPublic() || checkStrength(key.Key) != nil || key.id == "" {
				t.Errorf("the key %+v is taken", key)
			}
		}
	})
}

// FuzzIDToken feeds anything as an ID token: nothing that we did not sign gets through, and nothing panics.
func FuzzIDToken(f *testing.F) {
	for _, seed := range []string{
		"", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AA",
		"eyJhbGciOiJSUzI1NiJ9.e30.AA", "{}", `{"payload":"e30"}`,
	} {
		f.Add(seed)
	}
	p, err := New(Config{
		Name: "sim", Type: TypeOkta, Issuer: "https://acme.okta.com", ClientID: clientID,
		RedirectURL: redirectURL,
	}, Env{Now: newClock().Now})
	if err != nil {
		f.Fatal(err)
	}
	// The keys are known, so nobody is asked.
	published, err := parseKey(mustJSON(newSigner(0, "").published()))
	if err != nil {
		f.Fatal(err)
	}
	published.seen = p.now()
	p.keys.keys[published.id], p.keys.fetched, p.keys.missed = published, p.now(), p.now()
	doc := &document{}
	doc.IssuerURL = p.Issuer()
	f.Fuzz(func(t *testing.T, raw string) {
		c, refusal := p.verifyIDToken(t.Context(), doc, raw, expected{nonce: "n"})
		if refusal == nil {
			t.Errorf("%q gives %v", raw, c)
		} else if refusal.Code != CodeSignInInvalid ||
			strings.ContainsFunc(refusal.Error()+refusal.Message, unicode.IsControl) {
			t.Errorf("%q: %q", raw, refusal.Error())
		}
	})
}

// tokenSeeds are what strangers show as tokens.
var tokenSeeds = []string{
	"", ".", "..", "a.b.c", "a.b.c.d.e", "vsso_0123456789", "eyJhbGciOiJub25lIn0.e30.",
	"eyJhbGciOiJIUzI1NiJ9.e30.AA", "{}", `{"payload":"e30"}`,
	// Okta's issuer
	"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FjbWUub2t0YS5jb20vb2F1dGgyL2RlZmF1bHQifQ.AA",
	"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.AA.AA",                              // a part too many
	"eyJhbGciOiJSUzI1NiIsIm5vbmNlIjoieCJ9.eyJpc3MiOiJ4IiwiYXVkIjpbIngiXX0.AA", // nonce
	"eyJhbGciOiJSUzI1NiIsImNyaXQiOltdfQ.eyJpc3MiOiJ4In0.AA",                   // crit
	"eyJhbGciOiJSUzI1NiIsImNyaXQiOm51bGx9.eyJpc3MiOiJ4In0.AA",                 // crit: null
	"eyJhbGciOiJSUzI1NiJ9.eyJJU1MiOiJ4IiwiaXNzIjp7fX0.AA",                     // ISS, iss an object
	"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJcdTAwMDBcbiIsImlzcyI6ImIifQ.AA",          // control characters, twice
	// nested
	"eyJhbGciOiJSUzI1NiJ9.W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb.AA",
}

// FuzzUnverifiedIssuer feeds anything: what is read is bounded, and of something with three parts, and what
// it costs does not depend on what is in it.
func FuzzUnverifiedIssuer(f *testing.F) {
	for _, seed := range tokenSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		issuer, ok := UnverifiedIssuer(raw)
		if ok != (issuer != "") || len(issuer) > maxUnverified {
			t.Errorf("%q is of %q: %v", raw, issuer, ok)
		}
		if ok && (strings.Count(raw, ".") != 2 || len(raw) > maxToken) {
			t.Errorf("%q is a token", raw)
		}
	})
}

// FuzzAccessToken feeds anything as an access token to every type of provider: nothing that no key of theirs
// signed gets through, and what is said about it is fit to be shown.
func FuzzAccessToken(f *testing.F) {
	for _, seed := range tokenSeeds {
		f.Add(seed)
	}
	var providers []*Provider
	for _, cfg := range []Config{
		{Type: TypeOkta, Issuer: "https://acme.okta.com/oauth2/default"},
		{Type: TypeEntra, Tenant: tenantA},
		{Type: TypeOIDC, Issuer: "https://idp.example"},
	} {
		cfg.Name, cfg.ClientID, cfg.RedirectURL, cfg.API.Audiences = "sim", clientID,
			redirectURL, []string{"api://default"}
		p, err := New(cfg, Env{Now: newClock().Now})
		if err != nil {
			f.Fatal(err)
		}
		// document and keys are known, so nobody is asked
		published, err := parseKey(mustJSON(newSigner(0, "").published()))
		if err != nil {
			f.Fatal(err)
		}
		published.seen = p.now()
		p.keys.keys[published.id], p.keys.fetched, p.keys.missed = published, p.now(), p.now()
		p.discovery.doc, p.discovery.fetched = &document{}, p.now()
		p.discovery.doc.IssuerURL = p.dialect.issuer()
		providers = append(providers, p)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, p := range providers {
			got, err := p.VerifyAccessToken(t.Context(), raw)
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%q gives %+v, %v", raw, got, err)
			}
			if refusal.Code != CodeTokenInvalid && refusal.Code != CodeTenantRefused ||
				refusal.Message == "" ||
				strings.ContainsFunc(refusal.Error()+refusal.Message, unicode.IsControl) {
				t.Errorf("%q: %q", raw, refusal.Error())
			}
		}
	})
}
