package authserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

// The document says exactly what there is (RFC 8414, RFC 9207, RFC 8628), to everybody.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.program()
	a := b.send("GET", authserver.MetadataPath, "", "Origin", "https://a.page.example")
	var got map[string]any
	proxytest.Must(t, json.Unmarshal([]byte(a.Body), &got))
	issuer := w.Public + "/sso/oauth"
	want := map[string]any{
		"issuer":                        issuer,
		"authorization_endpoint":        issuer + "/authorize",
		"token_endpoint":                issuer + "/token",
		"revocation_endpoint":           issuer + "/revoke",
		"device_authorization_endpoint": issuer + "/device_authorization",
		"scopes_supported":              []any{"bot", "tx", "browser"},
		"response_types_supported":      []any{"code"},
		"response_modes_supported":      []any{"query"},
		"grant_types_supported": []any{
			"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
		},
		"token_endpoint_auth_methods_supported":          []any{"none"},
		"revocation_endpoint_auth_methods_supported":     []any{"none"},
		"code_challenge_methods_supported":               []any{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"request_uri_parameter_supported":                false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a.Header.Get("Access-Control-Allow-Origin") != "*" ||
		a.Header.Get("Content-Type") != "application/json" ||
		a.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", a.Header)
	}
	for name, value := range got {
		address, ok := value.(string)
		if !ok || !strings.HasSuffix(name, "_endpoint") {
			continue
		}
		u, err := url.Parse(address)
		proxytest.Must(t, err)
		if a := b.send("GET", u.Path, ""); a.Status == http.StatusNotFound {
			t.Errorf("%s leads nowhere", name)
		}
	}
	if a := b.send("POST", authserver.MetadataPath, ""); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.Status)
	}
}

// There is no OpenID Connect here: nothing signs, nobody is told who somebody is.
func TestNothingElseIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	b.openAs(ada, "/sso/")
	for _, path := range []string{
		"userinfo", "introspect", "oauth/introspect", "keys", "jwks", "jwks.json", "certs", "end_session",
		"logout", "register", "callback", "authorize/callback", "healthz", "ready", "par",
		".well-known/openid-configuration", ".well-known/oauth-authorization-server", "token/",
		"authorize/", "consent/x", "",
	} {
		for _, method := range []string{"GET", "POST"} {
			if a := b.send(method, "/sso/oauth/"+path, "", "Sec-Fetch-Site",
				"same-origin"); a.Status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, a.Status)
			}
		}
	}
	for _, path := range []string{
		"/.well-known/openid-configuration", "/.well-known/openid-configuration/sso/oauth",
		"/.well-known/oauth-authorization-server", "/.well-known/jwks.json",
	} {
		if a := b.send("GET", path, ""); a.Status < 400 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	given := w.post(tokenPath, exchange(b.codeFor(ada, request()))).json(t)
	names := []string{}
	for name := range given {
		names = append(names, name)
	}
	if slices.Sort(names); !slices.Equal(
		names, []string{"access_token", "expires_in", "refresh_token", "scope", "token_type"},
	) {
		t.Errorf("given %v", names)
	}
}
