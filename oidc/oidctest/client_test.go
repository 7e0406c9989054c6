package oidctest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// The relying party of these tests.
const (
	redirectURI = "http://127.0.0.1:4180/sso/callback/idp"
	secret      = "correct-horse-battery-staple-0123456789"
	state       = "st4te"
	nonce       = "n0nce"
)

func newClock() *oidctest.Clock { return oidctest.NewClock(time.Now().Truncate(time.Second)) }

// answer is a JSON response.
type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}

func (a answer) text(name string) string {
	value, _ := a.Body[name].(string)
	return value
}

func read(t *testing.T, response *http.Response, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: response.StatusCode, Header: response.Header}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &a.Body); err != nil {
			t.Fatalf("%s is not a JSON object: %v", raw, err)
		}
	}
	return a
}

func get(t *testing.T, location string) answer {
	t.Helper()
	response, err := http.Get(location)
	return read(t, response, err)
}

func postForm(t *testing.T, location string, form url.Values) answer {
	t.Helper()
	response, err := http.PostForm(location, form)
	return read(t, response, err)
}

func withBearer(t *testing.T, method, location, token, body string) answer {
	t.Helper()
	request, err := http.NewRequest(method, location, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("ConsistencyLevel", "eventual")
	response, err := http.DefaultClient.Do(request)
	return read(t, response, err)
}

// relyingParty is a relying party at one authority, as the metadata describes it.
type relyingParty struct {
	t        *testing.T
	double   *oidctest.Double
	metadata map[string]any
	client   oidctest.Client
	scopes   string
}

func newParty(
	t *testing.T, d *oidctest.Double, discovery string, c oidctest.Client, scopes string,
) *relyingParty {
	t.Helper()
	c.RedirectURIs = append(c.RedirectURIs, redirectURI)
	if c.Secrets == nil {
		c.Secrets = []string{secret}
	}
	return &relyingParty{
		t: t, double: d, metadata: get(t, discovery+"/.well-known/openid-configuration").Body,
		client: d.AddClient(c), scopes: scopes,
	}
}

func (p *relyingParty) at(endpoint string) string {
	p.t.Helper()
	location, ok := p.metadata[endpoint].(string)
	if !ok {
		p.t.Fatalf("the metadata has no %s", endpoint)
	}
	return location
}

// authorizeURL is an ordinary request, with extra parameters as name, value, name, value;
// an empty value removes one.
func (p *relyingParty) authorizeURL(extra ...string) string {
	p.t.Helper()
	params := url.Values{
		"client_id": {p.client.ID}, "redirect_uri": {redirectURI}, "response_type": {"code"},
		"scope": {p.scopes}, "state": {state}, "nonce": {nonce},
	}
	for i := 0; i < len(extra); i += 2 {
		if extra[i+1] == "" {
			params.Del(extra[i])
			continue
		}
		params.Set(extra[i], extra[i+1])
	}
	return p.at("authorization_endpoint") + "?" + params.Encode()
}

func (p *relyingParty) signIn(who string, extra ...string) *oidctest.Callback {
	p.t.Helper()
	back, err := p.double.SignIn(p.t.Context(), p.authorizeURL(extra...), who)
	if err != nil {
		p.t.Fatalf("signing in as %s: %v", who, err)
	}
	return back
}

func (p *relyingParty) token(params ...string) answer {
	p.t.Helper()
	form := url.Values{"client_id": {p.client.ID}, "client_secret": {secret}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	for name := range form {
		if form.Get(name) == "" {
			form.Del(name)
		}
	}
	return postForm(p.t, p.at("token_endpoint"), form)
}

func (p *relyingParty) redeem(back *oidctest.Callback, extra ...string) answer {
	p.t.Helper()
	return p.token(append([]string{
		"grant_type", oidctest.GrantCode, "code", back.Params.Get("code"), "redirect_uri", redirectURI,
	}, extra...)...)
}

func (p *relyingParty) refresh(token string, extra ...string) answer {
	p.t.Helper()
	return p.token(append([]string{"grant_type", oidctest.GrantRefresh, "refresh_token", token}, extra...)...)
}

// tokens is a whole ordinary sign-in.
func (p *relyingParty) tokens(who string) answer {
	p.t.Helper()
	a := p.redeem(p.signIn(who))
	if a.Status != http.StatusOK {
		p.t.Fatalf("the token endpoint answered %d %v", a.Status, a.Body)
	}
	return a
}

func claimsOf(t *testing.T, token string) oidctest.Claims {
	t.Helper()
	_, claims, err := oidctest.Decode(token)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func wantError(t *testing.T, a answer, status int, code, description string) {
	t.Helper()
	if a.Status != status || a.text("error") != code ||
		!strings.Contains(a.text("error_description"), description) {
		t.Errorf("answered %d %v, want %d %s %q", a.Status, a.Body, status, code, description)
	}
}

func wantRedirectError(t *testing.T, back *oidctest.Callback, code, description string) {
	t.Helper()
	if back.Params.Get("error") != code ||
		!strings.Contains(back.Params.Get("error_description"), description) ||
		back.Params.Get("state") != state {
		t.Errorf("came back with %v, want %s %q and the state", back.Params, code, description)
	}
}

// wantMembers checks that a JSON object has just these members, each of a type: string, int,
// bool, array, object or null.
func wantMembers(t *testing.T, object map[string]any, members string) {
	t.Helper()
	want := map[string]string{}
	for _, member := range strings.Fields(members) {
		name, kind, _ := strings.Cut(member, ":")
		if kind == "" {
			kind = "string"
		}
		want[name] = kind
		if got := kindOf(object[name]); object[name] == nil && kind != "null" || got != kind {
			t.Errorf("%s is %v (%s), want %s", name, object[name], got, kind)
		}
	}
	for name, value := range object {
		if _, ok := want[name]; !ok {
			t.Errorf("there is an extra member %s: %v", name, value)
		}
	}
}

func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		if v == float64(int64(v)) {
			return "int"
		}
		return "float"
	case []any:
		return "array"
	}
	return "object"
}
