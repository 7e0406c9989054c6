package oidc

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// settle waits for what runs in the background.
func (p *Provider) settle() { p.work.wg.Wait() }

const wellKnown = "openid-configuration"

// S10: the program starts, and everything but sign-in works, while the provider is down.
func TestDiscoveryIsLazy(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	f.answer(wellKnown, status(503, ""))
	p := f.okta(t, Config{})
	if n := f.count(wellKnown); n != 0 {
		t.Fatalf("New called the provider %d times", n)
	}
	if o := p.AuthorizationOrigin(); o != "" {
		t.Errorf("origin %q before discovery worked", o)
	}
	refused(t, p.Ping(t.Context()), CodeProviderUnavailable)

	f.answer(wellKnown, nil)
	f.clock.Advance(time.Second)
	if err := p.Ping(t.Context()); err != nil {
		t.Fatalf("Ping after the provider came back: %v", err)
	}
	if o := p.AuthorizationOrigin(); o != f.URL {
		t.Errorf("origin %q, want %q", o, f.URL)
	}
}

func TestDiscoveryBacksOff(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	f.answer(wellKnown, status(500, ""))
	p := f.okta(t, Config{})
	wants := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for attempt, seconds := range wants {
		want := seconds * time.Second
		refused(t, p.Ping(t.Context()), CodeProviderUnavailable)
		// Whoever comes too early is told how long to wait, and nobody is asked.
		_, _, err := p.Begin(t.Context(), BeginOptions{})
		if e := refused(t, err, CodeProviderUnavailable); e.RetryAfter != want {
			t.Errorf("attempt %d: wait %v, want %v", attempt, e.RetryAfter, want)
		}
		if n := f.count(wellKnown); n != attempt+1 {
			t.Fatalf("attempt %d: %d fetches", attempt, n)
		}
		f.clock.Advance(want)
	}
}

func TestDiscoveryHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	f.answer(wellKnown, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	p := f.okta(t, Config{})
	if e := refused(t, p.Ping(t.Context()), CodeProviderUnavailable); e.RetryAfter != 30*time.Second {
		t.Errorf("wait %v", e.RetryAfter)
	}
	f.clock.Advance(29 * time.Second)
	refused(t, p.Ping(t.Context()), CodeProviderUnavailable)
	if n := f.count(wellKnown); n != 1 {
		t.Errorf("%d fetches within Retry-After", n)
	}
}

func TestDiscoveryIsFetchedOnceForMany(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.answer(wellKnown, func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
		f.answer(wellKnown, nil)
		f.mu.Lock()
		defer f.mu.Unlock()
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%[2]q,"token_endpoint":%[2]q,"jwks_uri":%[2]q}`,
			f.document["issuer"], f.URL)
	})
	p := f.okta(t, Config{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := p.Ping(context.Background()); err != nil {
				t.Errorf("Ping: %v", err)
			}
		})
	}
	<-arrived
	// One who gives up is told so at once, and does not fail the others.
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, p.Ping(hurried), CodeProviderUnavailable)
	close(release)
	wg.Wait()
	if n := f.count(wellKnown); n != 1 {
		t.Errorf("%d fetches for 21 callers", n)
	}
}

// S10: that a provider went down later is told within a minute, though sign-in begins as before; one
// ask a minute, at the most.
func TestPingTellsOfNow(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	ping := func() error { return p.Ping(t.Context()) }
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	f.answer(wellKnown, status(500, ""))
	f.clock.Advance(documentHeard - time.Second)
	if err := ping(); err != nil || f.count(wellKnown) != 1 {
		t.Errorf("within the minute: %v, %d fetches", err, f.count(wellKnown))
	}
	f.clock.Advance(time.Second)
	refused(t, ping(), CodeProviderUnavailable)
	refused(t, ping(), CodeProviderUnavailable)
	if n := f.count(wellKnown); n != 2 {
		t.Errorf("%d fetches", n)
	}
	begin(t, p, BeginOptions{})
	f.answer(wellKnown, nil)
	refused(t, ping(), CodeProviderUnavailable)
	f.clock.Advance(backoffFirst)
	if err := ping(); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// S10: a provider that goes down later is not noticed for three days.
func TestDiscoveryServesStale(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	begin(t, p, BeginOptions{})
	f.answer(wellKnown, status(500, ""))
	for hours := range 71 {
		f.clock.Advance(time.Hour)
		if _, _, err := p.Begin(t.Context(), BeginOptions{}); err != nil {
			t.Fatalf("after %d hours: %v", hours+1, err)
		}
		p.settle()
		if want := hours + 2; f.count(wellKnown) != want {
			t.Fatalf("after %d hours: %d fetches, want %d", hours+1, f.count(wellKnown), want)
		}
	}
	f.clock.Advance(time.Hour)
	_, _, err := p.Begin(t.Context(), BeginOptions{})
	refused(t, err, CodeProviderUnavailable)
}

func TestDiscoveryRefreshesInPassing(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	begin(t, p, BeginOptions{})
	f.clock.Advance(59 * time.Minute)
	begin(t, p, BeginOptions{})
	p.settle()
	if n := f.count(wellKnown); n != 1 {
		t.Fatalf("%d fetches within the hour", n)
	}
	f.clock.Advance(time.Minute)
	release := make(chan struct{})
	f.answer(wellKnown, func(w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(500) })
	begin(t, p, BeginOptions{}) // is not held up by the refresh that hangs
	close(release)
	p.settle()
	if n := f.count(wellKnown); n != 2 {
		t.Errorf("%d fetches after the hour", n)
	}

	f.answer(wellKnown, nil)
	f.change(func() { f.document["authorization_endpoint"] = f.URL + "/v2/authorize" })
	f.clock.Advance(time.Minute)
	begin(t, p, BeginOptions{})
	p.settle()
	redirect, _, err := p.Begin(t.Context(), BeginOptions{})
	if err != nil || !strings.Contains(redirect, "/v2/authorize") {
		t.Errorf("redirect %q, %v after the document changed", redirect, err)
	}
}

func TestDiscoveryDocuments(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer http.HandlerFunc
		change map[string]any
		code   string
		remedy string
	}{
		"another issuer": {
			change: map[string]any{"issuer": "https://evil.example"}, code: CodeProviderMisset,
			remedy: "evil.example",
		},
		"no issuer":         {change: map[string]any{"issuer": nil}, code: CodeProviderMisset},
		"no token endpoint": {change: map[string]any{"token_endpoint": nil}, code: CodeProviderMisset},
		"no keys":           {change: map[string]any{"jwks_uri": nil}, code: CodeProviderMisset},
		"plain http elsewhere": {
			change: map[string]any{"token_endpoint": "http://evil.example/token"}, code: CodeProviderMisset,
		},
		"odd scheme": {change: map[string]any{"jwks_uri": "file:///etc/passwd"}, code: CodeProviderMisset},
		"credentials in the URL": {
			change: map[string]any{"userinfo_endpoint": "https://a:b@acme.example/"},
			code:   CodeProviderMisset,
		},
		"symmetric only": {
			change: map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "none"}},
			code:   CodeProviderMisset,
		},
		"not found": {answer: status(404, ""), code: CodeProviderMisset},
		"no such tenant": {answer: status(
			400, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}`,
		), code: CodeProviderMisset, remedy: "tenant"},
		"not JSON":      {answer: status(200, "<html>"), code: CodeProviderMisset},
		"not an object": {answer: status(200, "[]"), code: CodeProviderMisset},
		"server error":  {answer: status(502, ""), code: CodeProviderUnavailable},
		"throttled":     {answer: status(429, ""), code: CodeProviderUnavailable},
		"endless":       {answer: endless, code: CodeProviderUnavailable}, // F8, S12
		"cut off": {answer: func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, code: CodeProviderUnavailable},
		"redirect": {
			answer: http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
			code:   CodeProviderMisset, remedy: "/elsewhere",
		},
		"unknown members": {change: map[string]any{
			"mtls_endpoint_aliases": map[string]any{"token_endpoint": "x"}, "tenant_region_scope": nil,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			f.document = but(f.document, test.change)
			f.answer(wellKnown, test.answer)
			err := p.Ping(t.Context())
			if test.code == "" {
				if err != nil {
					t.Errorf("Ping: %v", err)
				}
				return
			}
			if e := refused(t, err, test.code); !strings.Contains(e.Remedy, test.remedy) {
				t.Errorf("remedy %q does not mention %q", e.Remedy, test.remedy)
			}
			if f.count("elsewhere") != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// endless answers for as long as somebody reads.
func endless(w http.ResponseWriter, _ *http.Request) {
	block := []byte(strings.Repeat(" ", 64<<10))
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestIssuerSpelling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ configured, document string }{
		{"", ""}, {"/", ""}, {"", "/"}, {"/", "/"},
	} {
		f := newIDP(t)
		f.document["issuer"] = f.URL + test.document
		p := f.provider(t, Config{Type: TypeOIDC, Issuer: strings.ToUpper("http") +
			strings.TrimPrefix(f.URL, "http") + test.configured})
		claims := f.oktaClaims()
		s := f.signedIn(t, p, claims)
		if want := "oidc:" + f.URL + "#" + adaOkta; s.Identity.Subject != want {
			t.Errorf("subject %q, want %q however the issuer is spelled", s.Identity.Subject, want)
		}
		if p.Issuer() != f.URL+test.document {
			t.Errorf("issuer %q, want the provider's own spelling", p.Issuer())
		}
		// A token is held to the document's spelling, exactly.
		_, err := f.signIn(t, p, but(claims, map[string]any{"iss": f.URL + test.document + "/"}))
		refused(t, err, CodeSignInInvalid)
	}
}

func TestOktaSubjectIsOnePerPerson(t *testing.T) {
	t.Parallel()
	subjects := map[string]bool{}
	for _, issuer := range []string{
		"https://acme.okta.com", "https://ACME.okta.com/", "https://acme.okta.com/oauth2/default",
		"https://acme.okta.com:443/oauth2/aus1simAs6Df3Gh8J5d7/",
	} {
		subject, err := newOkta(Config{Issuer: issuer}).subject(claims{"sub": adaOkta})
		if err != nil {
			t.Fatal(err)
		}
		subjects[subject] = true
	}
	if len(subjects) != 1 || !subjects["okta:https://acme.okta.com/"+adaOkta] {
		t.Errorf("subjects %v", subjects)
	}
	_, err := newOkta(Config{Issuer: "https://acme.okta.com"}).subject(claims{"sub": "../00u1"})
	refused(t, err, CodeProviderMisset)
}

func TestEntraClouds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ setting, subject, document, issuer string }{
		{
			"", "public",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0",
		},
		{
			"public", "public",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0",
		},
		{
			"Login.MicrosoftOnline.com", "public",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.microsoftonline.com/" + tenantA + "/v2.0",
		},
		{
			"usgov", "usgov",
			"https://login.microsoftonline.us/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.microsoftonline.us/" + tenantA + "/v2.0",
		},
		{
			"china", "china",
			"https://login.partner.microsoftonline.cn/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.partner.microsoftonline.cn/" + tenantA + "/v2.0",
		},
		{
			"login.sovcloud-identity.fr", "login.sovcloud-identity.fr",
			"https://login.sovcloud-identity.fr/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://login.sovcloud-identity.fr/" + tenantA + "/v2.0",
		},
		{
			"acme.ciamlogin.com", "acme.ciamlogin.com",
			"https://acme.ciamlogin.com/" + tenantA + "/v2.0/.well-known/openid-configuration",
			"https://" + tenantA + ".ciamlogin.com/" + tenantA + "/v2.0",
		},
		{"http://localhost:4190/entra/", "localhost:4190/entra", "http://localhost:4190/entra/" + tenantA +
			"/v2.0/.well-known/openid-configuration", "http://localhost:4190/entra/" + tenantA + "/v2.0"},
	} {
		e, err := newEntra(Config{Cloud: test.setting, Tenant: strings.ToUpper(tenantA)})
		if err != nil {
			t.Errorf("%q: %v", test.setting, err)
			continue
		}
		subject, refusal := e.subject(claims{"tid": tenantA, "oid": strings.ToUpper(adaOID)})
		if refusal != nil {
			t.Fatal(refusal)
		}
		if want := "entra:" + test.subject + "/" + tenantA + "/" + adaOID; subject != want {
			t.Errorf("%q: subject %q, want %q", test.setting, subject, want)
		}
		if e.documentURL() != test.document || e.issuer() != test.issuer {
			t.Errorf("%q: document %q, issuer %q", test.setting, e.documentURL(), e.issuer())
		}
	}
	for _, bad := range []string{
		"http://login.microsoftonline.com", "https://login.microsoftonline.com",
		"login.microsoftonline.com/x", "nowhere", "a b.example", "user@login.example.com",
		"login.example.com?x",
	} {
		if c, err := cloudOf(bad); err == nil {
			t.Errorf("%q is taken as %+v", bad, c)
		}
	}
}
