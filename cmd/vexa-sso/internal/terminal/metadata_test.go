package terminal

import (
	"encoding/pem"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// F5: what a server says of itself is believed only about itself. A stranger's issuer or endpoint ends it
// before a person is asked, or a token sent (cloudflared PR #1646).
func TestHostileMetadata(t *testing.T) {
	t.Parallel()
	stranger := newDouble(t)
	for name, test := range map[string]struct {
		change func(m map[string]any)
		words  []string
	}{
		"another issuer": {func(m map[string]any) {
			m["issuer"] = stranger.origin.Issuer()
		}, []string{"says that it is", "nothing was sent"}},
		"issuer without its path": {func(m map[string]any) {
			m["issuer"] = strings.TrimSuffix(m["issuer"].(string), "/sso/oauth")
		}, []string{"says that it is"}},
		"issuer with a slash": {func(m map[string]any) {
			m["issuer"] = m["issuer"].(string) + "/"
		}, []string{"says that it is"}},
		"no issuer": {func(m map[string]any) { delete(m, "issuer") }, []string{"says that it is"}},
		"token endpoint elsewhere": {func(m map[string]any) {
			m["token_endpoint"] = string(stranger.origin) + "/sso/oauth/token"
		}, []string{"token_endpoint", "not its own"}},
		"authorization elsewhere": {func(m map[string]any) {
			m["authorization_endpoint"] = "https://evil.example/"
		}, []string{"authorization_endpoint", "not its own"}},
		"revocation elsewhere": {func(m map[string]any) {
			m["revocation_endpoint"] = string(stranger.origin) + "/r"
		}, []string{"revocation_endpoint"}},
		"device elsewhere": {func(m map[string]any) {
			m["device_authorization_endpoint"] = string(stranger.origin) + "/d"
		}, []string{"device_authorization_endpoint"}},
		"endpoint with a user": {func(m map[string]any) {
			m["token_endpoint"] = strings.Replace(m["token_endpoint"].(string), "//", "//x@", 1)
		}, []string{"token_endpoint"}},
		"endpoint that is a path": {func(m map[string]any) {
			m["token_endpoint"] = "/sso/oauth/token"
		}, []string{"token_endpoint"}},
		"no token endpoint": {func(m map[string]any) {
			delete(m, "token_endpoint")
		}, []string{"token_endpoint"}},
		"no PKCE": {func(m map[string]any) {
			delete(m, "code_challenge_methods_supported")
		}, []string{"PKCE"}},
		"plain PKCE": {func(m map[string]any) {
			m["code_challenge_methods_supported"] = []string{"plain"}
		}, []string{"PKCE"}},
		"an issuer for the terminal": {func(m map[string]any) {
			m["issuer"] = "\x1b]0;owned\a"
		}, []string{`"]0;owned"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p := newDouble(t), newPerson(t, t.TempDir())
			p.signIn(d)
			d.change = test.change
			before := d.requests("POST")
			_, err := p.SignIn(t.Context(), d.origin, Request{})
			refused(t, err, test.words...)
			p.clock.Advance(2 * 3600e9)
			_, err = p.Token(t.Context(), d.origin, Soon)
			refused(t, err, test.words...)
			if p.opened.Load() != 1 || d.requests("POST") != before {
				t.Errorf("%d browsers, %d requests: more than before the server turned",
					p.opened.Load(), d.requests("POST")-before)
			}
			refused(t, p.SignOut(t.Context(), d.origin), append(test.words, "still knows it")...)
		})
	}
	if n := stranger.requests(""); n != 0 {
		t.Errorf("the stranger was asked %d times", n)
	}
}

// F5: a redirect is not followed, with a token in it least of all: not that of the metadata, nor that of any
// endpoint; not even to another path of the same server.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	stranger := newDouble(t)
	for _, path := range []string{"/.well-known/", "/sso/oauth/token", "/sso/oauth/revoke", "/sso/whoami"} {
		for _, status := range []int{302, 307, 308} {
			d, p := newDouble(t), newPerson(t, t.TempDir())
			p.signIn(d)
			d.set(func() {
				d.instead = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasPrefix(r.URL.Path, path) {
						return false
					}
					http.Redirect(w, r, string(stranger.origin)+r.URL.Path, status)
					return true
				}
			})
			p.clock.Advance(2 * 3600e9)
			_, renewed := p.Token(t.Context(), d.origin, Soon)
			if !strings.HasSuffix(path, "/revoke") && !strings.HasSuffix(path, "/whoami") {
				refused(t, renewed, "redirect", string(stranger.origin), "not followed")
			}
			if in, err := p.SignIn(t.Context(), d.origin, Request{}); err == nil && in.Account != "" &&
				path == "/sso/whoami" {
				t.Errorf("a stranger said that this is %s", in.Account)
			}
			out := p.SignOut(t.Context(), d.origin)
			if strings.HasSuffix(path, "/revoke") || strings.HasPrefix(path, "/.well-known/") {
				refused(t, out, "redirect", "not followed")
			}
		}
	}
	if n := stranger.requests(""); n != 0 {
		t.Errorf("the stranger was asked %d times", n)
	}
}

func TestMetadataThatIsNone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		words  string
		later  bool
	}{
		"a page": {
			200, "<!doctype html><title>Welcome</title>", "does not answer as a vexa-sso does", false,
		},
		"nothing": {200, "", "does not answer as a vexa-sso does", false},
		"a list":  {200, "[]", "does not answer as a vexa-sso does", false},
		"without end": {
			200, `{"issuer":"` + strings.Repeat("x", 1<<20), "does not answer as a vexa-sso does", false,
		},
		"none":          {404, "{}", "too old", false},
		"forbidden":     {403, "{}", "403", false},
		"not well":      {503, "{}", "try again later", true},
		"no connection": {0, "", "cannot be reached", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.instead = func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
				return true
			}
			if test.status == 0 {
				d.server.Close()
			}
			p := newPerson(t, t.TempDir())
			_, err := p.SignIn(t.Context(), d.origin, Request{})
			refused(t, err, test.words)
			if Unavailable(err) != test.later {
				t.Errorf("Unavailable: %v", !test.later)
			}
		})
	}
}

// A server with a certificate of a private authority is trusted where --ca-file says
// so, and goes on being so.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	d := unbound()
	d.server = httptest.NewUnstartedServer(d)
	d.server.Config.ErrorLog = log.New(t.Output(), "", 0)
	d.server.StartTLS()
	t.Cleanup(d.server.Close)
	d.origin = Origin(d.server.URL)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.server.Certificate().Raw}), 0o600))

	p := newPerson(t, t.TempDir())
	browser := d.server.Client()
	p.Browser = func(url string) error {
		go browser.Get(url)
		return nil
	}
	_, err := p.SignIn(t.Context(), d.origin, Request{})
	refused(t, err, "cannot be reached", "certificate")
	in, err := p.SignIn(t.Context(), d.origin, Request{CAFile: ca})
	must(t, err)
	if in.CAFile != ca {
		t.Errorf("the authority is kept as %q", in.CAFile)
	}
	p.clock.Advance(2 * 3600e9)
	_, err = p.Token(t.Context(), d.origin, Soon)
	must(t, err)
	_, err = p.SignIn(t.Context(), d.origin, Request{}) // again, without saying it again
	must(t, err)

	_, err = newClient(filepath.Join(t.TempDir(), "none.pem"))
	refused(t, err, "reading the certificates to trust")
	must(t, os.WriteFile(ca, []byte("none"), 0o600))
	_, err = newClient(ca)
	refused(t, err, "there is none in")
}
