package oidc_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// independent is the npm package oidc-provider, a provider that nobody here has written.
type independent struct {
	issuer  string
	logouts chan string // the logout tokens that came by the back channel
	keyFile string
}

const keyClientID = "key-client"

// startIndependent starts it, or skips the test: it needs Node and a folder of modules
// with oidc-provider in it.
func startIndependent(t *testing.T) *independent {
	t.Helper()
	modules := os.Getenv("VEXA_SSO_TEST_NODE_MODULES")
	if modules == "" {
		t.Skip("VEXA_SSO_TEST_NODE_MODULES is not set: npm install oidc-provider somewhere, and name its node_modules")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on this machine")
	}
	i := &independent{logouts: make(chan string, 1), keyFile: filepath.Join(t.TempDir(), "key.pem")}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		i.logouts <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(receiver.Close)
	key, err := oidctest.NewKey()
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key.Private)
	must(t, err)
	must(t, os.WriteFile(i.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	settings, err := json.Marshal(map[string]any{
		"client": client().ID, "secret": secret, "keyClient": keyClientID, "jwk": key.JWK(),
		"redirect": callback, "signedOut": back, "backChannel": receiver.URL,
	})
	must(t, err)

	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "oidc-provider.mjs"),
		modules, string(settings))
	stdin, err := command.StdinPipe()
	must(t, err)
	stdout, err := command.StdoutPipe()
	must(t, err)
	var complaints strings.Builder
	command.Stderr = &complaints
	must(t, command.Start())
	t.Cleanup(func() {
		stdin.Close()
		command.Wait()
		if t.Failed() {
			t.Logf("oidc-provider said:\n%s", complaints.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		command.Wait()
		t.Fatalf("oidc-provider did not start: %v\n%s", err, complaints.String())
	}
	i.issuer = strings.TrimSpace(line)
	return i
}

// visitor is a browser that stops where a provider sends it back to us.
type visitor struct{ *http.Client }

var errBack = errors.New("back with us")

func newVisitor(t *testing.T) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return visitor{&http.Client{
		Jar: jar, Timeout: oidctest.Patience, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Host == "127.0.0.1:4180" {
				return errBack
			}
			return nil
		},
	}}
}

// back is where a request ends up at ours, or the page on which it stays.
func (v visitor) back(t *testing.T, res *http.Response, err error) (params url.Values, page string) {
	t.Helper()
	if res != nil {
		defer res.Body.Close()
	}
	var failed *url.Error
	switch {
	case errors.As(err, &failed) && errors.Is(failed.Err, errBack):
		u, err := url.Parse(res.Header.Get("Location"))
		must(t, err)
		return u.Query(), ""
	case err != nil:
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return nil, string(text)
}

func (v visitor) open(t *testing.T, location string) (url.Values, string) {
	t.Helper()
	res, err := v.Get(location)
	return v.back(t, res, err)
}

func (v visitor) signIn(t *testing.T, p *oidc.Provider, o oidc.BeginOptions) *oidc.SignIn {
	t.Helper()
	redirect, attempt, err := p.Begin(t.Context(), o)
	must(t, err)
	params, page := v.open(t, redirect)
	if params == nil {
		t.Fatalf("stayed at the provider: %s", page)
	}
	s, err := p.Finish(t.Context(), attempt, params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input[^>]* name="([^"]*)" value="([^"]*)"`)
)

// submit presses the button of the form on a page.
func (v visitor) submit(t *testing.T, page string, more url.Values) url.Values {
	t.Helper()
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		t.Fatalf("there is no form on %s", page)
	}
	for _, input := range formInput.FindAllStringSubmatch(page, -1) {
		more.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	res, err := v.PostForm(html.UnescapeString(action[1]), more)
	params, page := v.back(t, res, err)
	if params == nil {
		t.Fatalf("stayed at the provider: %s", page)
	}
	return params
}

// An independent provider, pointed at by settings alone: sign-in, silently too, refresh with rotation,
// sign-out with the logout token that follows it, and keys that rotate.
func TestIndependentProvider(t *testing.T) {
	t.Parallel()
	i := startIndependent(t)
	p := provider(t,
		oidc.Config{Type: oidc.TypeOIDC, Issuer: i.issuer, Scopes: []string{"groups"}, Prompt: "consent"})
	browser := newVisitor(t)
	was := browser.signIn(t, p, oidc.BeginOptions{})
	if id := was.Identity; id.Subject != "oidc:"+i.issuer+"#ada" || id.Email != "ada@acme.example" ||
		id.Name != "Ada Byron" || !slices.Equal(id.Groups, []string{"vexa-users"}) || id.SID == "" {
		t.Errorf("%+v", id)
	}
	if silent := browser.signIn(
		t, p, oidc.BeginOptions{Prompt: "none"},
	); silent.Identity.Subject != was.Identity.Subject {
		t.Errorf("%+v", silent.Identity)
	}

	is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if is.Identity.Subject != was.Identity.Subject || is.Identity.SID != was.Identity.SID ||
		is.RefreshToken == was.RefreshToken || !slices.Equal(is.Identity.Groups, was.Identity.Groups) {
		t.Errorf("%+v became %+v", was, is)
	}
	_, err = p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	refused(t, err, oidc.CodeGrantOver)

	out, ok := p.EndSession(t.Context(), was.IDToken, was.LogoutHint, back)
	if !ok {
		t.Fatal("there is nowhere to sign out")
	}
	_, page := browser.open(t, oidc.WithState(out, "state-1"))
	if params := browser.submit(t, page, url.Values{"logout": {"yes"}}); params.Get("state") != "state-1" {
		t.Errorf("came back with %v", params)
	}
	var raw string
	select {
	case raw = <-i.logouts:
	case <-time.After(oidctest.Patience):
		t.Fatal("no logout token came by the back channel")
	}
	token, err := p.VerifyLogoutToken(t.Context(), raw)
	if err != nil || token.SID != was.Identity.SID ||
		token.Subject != was.Identity.Subject || token.JTI == "" {
		t.Errorf("%+v, %v", token, err)
	}

	for range 2 { // it forgets its sessions with its key
		browser.open(t, i.issuer+"/test/rotate")
		newVisitor(t).signIn(t, p, oidc.BeginOptions{})
	}
}

// It takes our signed assertions, for codes and for refresh tokens.
func TestPrivateKeyAtAnIndependentProvider(t *testing.T) {
	t.Parallel()
	i := startIndependent(t)
	p, err := oidc.New(oidc.Config{
		Name: "sim", Type: oidc.TypeOIDC, Issuer: i.issuer, ClientID: keyClientID, RedirectURL: callback,
		Prompt: "consent", PrivateKeyFile: i.keyFile,
	}, oidc.Env{})
	must(t, err)
	t.Cleanup(p.Close)
	was := newVisitor(t).signIn(t, p, oidc.BeginOptions{})
	if _, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity); err != nil {
		t.Error(err)
	}
}
