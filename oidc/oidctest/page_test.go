package oidctest_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

func body(t *testing.T, location string) (http.Header, string) {
	t.Helper()
	response, err := http.Get(location)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Header, string(page)
}

// The page works without scripts and says nothing that it was told to say.
func TestSignInPage(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	okta.AddPerson(oidctest.Person{Email: "x@acme.example", Name: `<script>alert(1)</script>`})
	rp := oktaParty(t, okta, oidctest.Client{Name: "Vexa"})
	header, page := body(t, rp.authorizeURL("login_hint", oidctest.Tim))
	for _, name := range []string{
		"Ada Byron", "Grace Hopper", "Gil Guest", oidctest.Mallory, "Vexa",
		`<form method="post"`, "Do not sign in",
	} {
		if !strings.Contains(page, name) {
			t.Errorf("the page lacks %q", name)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, "<script") {
		t.Error("the page has a script")
	}
	if strings.Index(page, "Tim Lee") > strings.Index(page, "Ada Byron") {
		t.Error("the person of the login_hint does not come first")
	}
	policy := header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "style-src 'nonce-"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
}

// A page is good for one press of a button.
func TestSignInPageIsUsedOnce(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	_, page := body(t, rp.authorizeURL())
	_, rest, _ := strings.Cut(page, `name="request" value="`)
	request, _, _ := strings.Cut(rest, `"`)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for i, want := range []int{302, 400} {
		response, err := client.PostForm(okta.BaseURL()+"/sign-in",
			url.Values{"request": {request}, "person": {oidctest.Ada}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("press %d: answered %d, want %d", i, response.StatusCode, want)
		}
	}
}

// demo_auto signs in without the page, where and only where the double was told to.
func TestAutoSignIn(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		okta := startOkta(t, oidctest.OktaOptions{AutoSignIn: allowed})
		entra := startEntra(t, oidctest.EntraOptions{AutoSignIn: allowed})
		for _, rp := range []*relyingParty{
			oktaParty(t, okta, oidctest.Client{}), entraParty(t, entra, oidctest.Client{}),
		} {
			back, err := rp.double.NewBrowser().Open(t.Context(),
				rp.authorizeURL("login_hint", oidctest.Grace, "demo_auto", "1"))
			if !allowed {
				wantPageError(t, back, err, 200, "Who are you today?")
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if name := claimsOf(t, rp.redeem(back).text("id_token"))["name"]; name != "Grace Hopper" {
				t.Errorf("signed in as %v", name)
			}
		}
		if requests := okta.AuthorizeRequests(); requests[0].Params.Get("login_hint") != oidctest.Grace {
			t.Errorf("the journal says %+v", requests)
		}
	}
}

// Two doubles share a listener under two prefixes, as the demo has them, and Graph answers at the root too.
func TestTwoDoublesOnOneListener(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	okta, err := oidctest.NewOkta(oidctest.OktaOptions{BaseURL: server.URL + "/okta"})
	if err != nil {
		t.Fatal(err)
	}
	entra, err := oidctest.NewEntra(oidctest.EntraOptions{
		BaseURL: server.URL + "/entra", GraphHost: strings.TrimPrefix(server.URL, "http://"),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/okta/", okta)
	mux.Handle("/entra/", entra)
	mux.Handle("/v1.0/", entra)
	okta.AddCast()
	entra.AddCast()
	if okta.Issuer() != server.URL+"/okta/oauth2/default" || okta.OrgIssuer() != server.URL+"/okta" {
		t.Errorf("Okta is %s and %s", okta.Issuer(), okta.OrgIssuer())
	}
	atOkta, atEntra := oktaParty(t, okta, oidctest.Client{}), entraParty(t, entra, oidctest.Client{})
	atOkta.tokens(oidctest.Ada)
	token := atEntra.tokens(oidctest.Ada).text("access_token")
	a := withBearer(t, http.MethodPost, "http://"+atEntra.at("msgraph_host")+"/v1.0/me/getMemberObjects",
		token, `{"securityEnabledOnly": true}`)
	if a.Status != 200 {
		t.Errorf("Graph answers %d %v", a.Status, a.Body)
	}
}

// The same people have the same ids when a double is started again, and randomness is
// all that comes from outside.
func TestRestart(t *testing.T) {
	t.Parallel()
	ids := func() (ids []string) {
		okta, err := oidctest.NewOkta(oidctest.OktaOptions{
			BaseURL: "http://localhost", Rand: bytes.NewReader(nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		entra, err := oidctest.NewEntra(oidctest.EntraOptions{
			BaseURL: "http://localhost", Rand: bytes.NewReader(nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []*oidctest.Double{okta.Double, entra.Double} {
			d.AddCast()
			for _, p := range d.People() {
				ids = append(ids, p.ID)
			}
		}
		return ids
	}
	first, second := ids(), ids()
	if strings.Join(first, " ") != strings.Join(second, " ") || len(first) != 10 {
		t.Errorf("%v became %v", first, second)
	}
}
