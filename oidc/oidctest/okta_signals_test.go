package oidctest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc/oidctest"
)

// received is what an endpoint of the relying party was sent.
type received struct {
	header http.Header
	body   string
}

func receiver(t *testing.T, status int) (string, <-chan received) {
	t.Helper()
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, string(body)}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func TestOktaUniversalLogout(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	endpoint, got := receiver(t, http.StatusNoContent)
	status, err := okta.UniversalLogout(t.Context(), http.DefaultClient,
		endpoint+"/sso/logout/universal/okta?x=1", "0oaClient",
		oidctest.SubjectID{Format: "email", Email: oidctest.Ada})
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("answered %d, %v", status, err)
	}
	request := <-got
	var body any
	if err := json.Unmarshal([]byte(request.body), &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		map[string]any{"sub_id": map[string]any{"format": "email", "email": oidctest.Ada}}, body,
	); diff != "" {
		t.Error(diff)
	}
	token := strings.TrimPrefix(request.header.Get("Authorization"), "Bearer ")
	header, claims, err := oidctest.Decode(token)
	if err != nil || header["typ"] != "global-token-revocation+jwt" {
		t.Errorf("the header is %v, %v", header, err)
	}
	wantMembers(t, claims, "jti iss sub aud iat:int nbf:int exp:int")
	if claims["sub"] != "0oaClient" || claims["aud"] != endpoint+"/sso/logout/universal/okta" ||
		claims["iss"] != okta.OrgIssuer() {
		t.Errorf("the claims are %v", claims)
	}
	provider, err := oidc.NewProvider(t.Context(), okta.OrgIssuer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{SkipClientIDCheck: true}).
		Verify(t.Context(), token); err != nil {
		t.Errorf("it is not signed with the org's key: %v", err)
	}
}

func TestOktaSecurityEvent(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	endpoint, got := receiver(t, http.StatusAccepted)
	ada, _ := okta.Person(oidctest.Ada)
	claims := okta.SecurityEventClaims(endpoint, oidctest.SecurityEvent{
		Type:    oidctest.EventSessionRevoked,
		Subject: oidctest.SubjectID{Format: "iss_sub", Issuer: okta.OrgIssuer(), Sub: ada.ID},
	})
	if status, err := okta.PushSecurityEvent(t.Context(), http.DefaultClient, endpoint,
		"shared", claims); err != nil || status != http.StatusAccepted {
		t.Fatalf("answered %d, %v", status, err)
	}
	request := <-got
	if request.header.Get("Content-Type") != "application/secevent+jwt" ||
		request.header.Get("Authorization") != "shared" {
		t.Errorf("the header is %v", request.header)
	}
	header, sent, err := oidctest.Decode(request.body)
	if err != nil || header["typ"] != "secevent+jwt" {
		t.Errorf("the header is %v, %v", header, err)
	}
	wantMembers(t, sent, "iss jti iat:int aud events:object")
	wantMembers(t, sent["events"].(map[string]any)[oidctest.EventSessionRevoked].(map[string]any),
		"subject:object event_timestamp:int")
	wantMembers(t, get(t, okta.OrgIssuer()+"/.well-known/ssf-configuration").Body,
		`issuer jwks_uri configuration_endpoint verification_endpoint
		delivery_methods_supported:array authorization_schemes:array spec_version default_subjects`)
}
