package oidctest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	discovery := okta.Issuer() + "/.well-known/openid-configuration"
	fetch := func() (int, string, error) {
		response, err := http.Get(discovery)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}

	okta.Break(oidctest.EndpointDiscovery, oidctest.Down())
	if status, _, err := fetch(); err == nil {
		t.Errorf("down: answered %d", status)
	}
	okta.Break(oidctest.EndpointDiscovery, oidctest.Status(503))
	if status, _, _ := fetch(); status != 503 {
		t.Errorf("unavailable: answered %d", status)
	}
	okta.Break(oidctest.EndpointDiscovery, oidctest.MalformedJSON())
	if status, body, _ := fetch(); status != 200 || strings.HasSuffix(body, "}") {
		t.Errorf("malformed: answered %d %s", status, body)
	}
	okta.Break(oidctest.EndpointDiscovery, oidctest.HugeBody(3<<20))
	if status, body, _ := fetch(); status != 200 || len(body) < 3<<20 {
		t.Errorf("huge: answered %d, %d bytes", status, len(body))
	}
	okta.Break(oidctest.EndpointAny, oidctest.TooManyRequests(9))
	if a := get(t, okta.Issuer()+"/v1/keys"); a.Status != 429 || a.Header.Get("Retry-After") != "9" {
		t.Errorf("throttled: answered %d %v", a.Status, a.Header)
	}
	okta.Mend(oidctest.EndpointAny)
	okta.Break(oidctest.EndpointDiscovery, oidctest.Times(2, oidctest.Status(500)))
	for i, want := range []int{500, 500, 200} {
		if status, _, _ := fetch(); status != want {
			t.Errorf("request %d: answered %d, want %d", i, status, want)
		}
	}
	hooked := false
	okta.Break(oidctest.EndpointDiscovery, oidctest.Before(func(*http.Request) { hooked = true }))
	if status, _, _ := fetch(); status != 200 || !hooked {
		t.Errorf("hooked %v: answered %d", hooked, status)
	}
	okta.Mend(oidctest.EndpointDiscovery)
	if status, _, err := fetch(); status != 200 || err != nil {
		t.Errorf("mended: answered %d, %v", status, err)
	}
	if n := okta.Requests(oidctest.EndpointDiscovery); n != 9 {
		t.Errorf("discovery was asked %d times", n)
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	arrived, resume := okta.Hang(oidctest.EndpointKeys)
	statuses := make(chan int, 1)
	go func() {
		response, err := http.Get(okta.Issuer() + "/v1/keys")
		if err != nil {
			statuses <- 0
			return
		}
		response.Body.Close()
		statuses <- response.StatusCode
	}()
	<-arrived
	select {
	case status := <-statuses:
		t.Fatalf("answered %d before it was released", status)
	default:
	}
	resume()
	if status := <-statuses; status != 200 {
		t.Errorf("answered %d", status)
	}

	okta.Hang(oidctest.EndpointKeys)
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, okta.Issuer()+"/v1/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := http.DefaultClient.Do(request); err == nil {
		t.Error("a caller that gave up got an answer")
	}
}

func TestOktaRateLimit(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := oktaParty(t, okta, oidctest.Client{})
	okta.Break(oidctest.EndpointToken, okta.RateLimited(time.Minute))
	a := rp.refresh("x")
	if a.Status != 429 || a.Body["errorCode"] != "E0000047" || a.Header.Get("Retry-After") != "" ||
		a.Header.Get("X-Rate-Limit-Reset") != strconv.FormatInt(now.Now().Add(time.Minute).Unix(), 10) ||
		a.Header.Get("X-Rate-Limit-Remaining") != "0" {
		t.Errorf("answered %d %v %v", a.Status, a.Header, a.Body)
	}
	wantMembers(t, a.Body, "errorCode errorSummary errorLink errorId errorCauses:array")
	entra := startEntra(t, oidctest.EntraOptions{})
	tenant := entraParty(t, entra, oidctest.Client{})
	entra.Break(oidctest.EndpointToken, entra.Throttled(30))
	if a := tenant.refresh("x"); a.Status != 429 || a.Header.Get("Retry-After") != "30" ||
		a.text("error") != "temporarily_unavailable" {
		t.Errorf("answered %d %v %v", a.Status, a.Header, a.Body)
	}
}

// A double over TLS shows a certificate that its own CA file verifies.
func TestTLS(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{TLS: true})
	if !strings.HasPrefix(okta.Issuer(), "https://localhost:") {
		t.Errorf("the issuer is %s", okta.Issuer())
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(okta.CAPEM()) {
		t.Fatal("the CA file holds no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	response, err := client.Get(okta.Issuer() + "/v1/keys")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if _, err := http.Get(okta.Issuer() + "/v1/keys"); err == nil {
		t.Error("everybody trusts it")
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	if a := rp.token("grant_type", strings.Repeat("x", 2<<20)); a.Status != 400 {
		t.Errorf("a form of 2 MiB is answered %d", a.Status)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"", "/okta", "http://localhost/", "http://localhost/x?y=z", "http://local host",
	} {
		if _, err := oidctest.NewOkta(oidctest.OktaOptions{BaseURL: base}); err == nil {
			t.Errorf("the base URL %q is accepted", base)
		}
	}
	if _, err := oidctest.NewOkta(oidctest.OktaOptions{
		BaseURL: "http://localhost", Servers: []oidctest.OktaServer{{ID: "a/b"}},
	}); err == nil {
		t.Error("a server ID of two segments is accepted")
	}
	for _, tenants := range [][]oidctest.Tenant{{}, {{ID: "acme"}}} {
		if _, err := oidctest.NewEntra(oidctest.EntraOptions{
			BaseURL: "http://localhost", Tenants: tenants,
		}); err == nil {
			t.Errorf("the tenants %v are accepted", tenants)
		}
	}
}
