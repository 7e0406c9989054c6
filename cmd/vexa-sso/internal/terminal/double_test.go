package terminal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// double speaks a bridge's part of the protocol, and whatever a test wants it to say instead. The real bridge
// has its own test: the transcripts of the program.
type double struct {
	origin Origin
	server *httptest.Server

	mu        sync.Mutex
	change    func(metadata map[string]any)                               // what it says of itself
	instead   func(w http.ResponseWriter, r *http.Request) (handled bool) // before anything else
	asked     []string                                                    // method and URI of every request
	codes     map[string]url.Values                                       // authorization requests by code
	live      map[string]bool                                             // refresh tokens
	revoked   []string
	made      int
	lifetime  int // seconds
	pending   int // polls of a device before somebody confirms
	renewals  int
	verifiers []string
}

func newDouble(t testing.TB) *double {
	d := unbound()
	d.server = httptest.NewServer(d)
	t.Cleanup(d.server.Close)
	d.origin = Origin(d.server.URL)
	return d
}

func unbound() *double {
	return &double{codes: map[string]url.Values{}, live: map[string]bool{}, lifetime: 3600}
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked = append(d.asked, r.Method+" "+r.RequestURI)
	instead := d.instead
	d.mu.Unlock()
	if instead != nil && instead(w, r) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server/sso/oauth":
		at := string(d.origin) + "/sso/oauth/"
		m := map[string]any{
			"issuer": d.origin.Issuer(), "authorization_endpoint": at + "authorize",
			"token_endpoint": at + "token", "revocation_endpoint": at + "revoke",
			"device_authorization_endpoint":    at + "device_authorization",
			"code_challenge_methods_supported": []string{"S256"},
		}
		if d.change != nil {
			d.change(m)
		}
		reply(w, http.StatusOK, m)
	case "/sso/oauth/authorize":
		code := "code-" + fmt.Sprint(len(d.codes))
		d.codes[code] = r.URL.Query()
		back := url.Values{"code": {code}, "state": r.URL.Query()["state"], "iss": {d.origin.Issuer()}}
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	case "/sso/oauth/device_authorization":
		reply(w, http.StatusOK, map[string]any{
			"device_code": "canary-device", "user_code": "WDJB-MJHT",
			"verification_uri":          string(d.origin) + "/sso/device",
			"verification_uri_complete": string(d.origin) + "/sso/device?user_code=WDJB-MJHT",
			"expires_in":                600, "interval": 5,
		})
	case "/sso/oauth/token":
		r.ParseForm()
		d.token(w, r.PostForm)
	case "/sso/oauth/revoke":
		delete(d.live, r.PostFormValue("token"))
		d.revoked = append(d.revoked, r.PostFormValue("token"))
	case "/sso/whoami":
		reply(w, http.StatusOK, map[string]any{"email": "ada@acme.example", "account": "a1"})
	default:
		http.NotFound(w, r)
	}
}

func (d *double) token(w http.ResponseWriter, form url.Values) {
	refuse := func(code string) { reply(w, http.StatusBadRequest, map[string]any{"error": code}) }
	scope := "bot tx"
	switch form.Get("grant_type") {
	case "authorization_code":
		asked, ok := d.codes[form.Get("code")]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			asked.Get("code_challenge_method") != "S256" ||
			asked.Get("redirect_uri") != form.Get("redirect_uri") ||
			asked.Get("client_id") != form.Get("client_id") {
			refuse("invalid_grant")
			return
		}
		delete(d.codes, form.Get("code"))
		d.verifiers = append(d.verifiers, form.Get("code_verifier"))
		if asked.Has("scope") {
			scope = asked.Get("scope")
		}
	case "refresh_token":
		if !d.live[form.Get("refresh_token")] {
			refuse("invalid_grant")
			return
		}
		delete(d.live, form.Get("refresh_token"))
		d.renewals++
	case "urn:ietf:params:oauth:grant-type:device_code":
		if d.pending--; d.pending >= 0 {
			refuse("authorization_pending")
			return
		}
	default:
		refuse("unsupported_grant_type")
		return
	}
	d.made++
	access, refresh := fmt.Sprintf("canary-access-%d", d.made), fmt.Sprintf("canary-refresh-%d", d.made)
	d.live[refresh] = true
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": d.lifetime,
		"refresh_token": refresh, "scope": scope,
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// set changes the double while it runs.
func (d *double) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// forget has the server end every sign-in.
func (d *double) forget() { d.set(func() { clear(d.live) }) }

// person is somebody at a terminal in a test, with the browser of a person who agrees.
type person struct {
	*Terminal
	t      testing.TB
	keys   *memoryKeyring
	out    *oidctest.LogBook // what they have seen
	opened *atomic.Int32
	clock  *oidctest.Clock
}

func newPerson(t testing.TB, dir string) *person {
	t.Helper()
	p := &person{
		t: t, keys: &memoryKeyring{secrets: map[string]string{}}, out: new(oidctest.LogBook),
		opened: new(atomic.Int32), clock: oidctest.NewClock(aDay),
	}
	p.Terminal = &Terminal{Err: p.out, Now: p.clock.Now}
	p.Terminal.Browser = p.agree
	p.open(dir)
	return p
}

// open opens the wallet in a folder, as each start of the program does.
func (p *person) open(dir string) {
	p.t.Helper()
	var err error
	p.Wallet, err = OpenWallet(filepath.Join(dir, "vexa-sso"), p.keys)
	must(p.t, err)
}

// agree goes where a browser goes, to the end.
func (p *person) agree(url string) error {
	p.opened.Add(1)
	go func() {
		res, err := http.Get(url)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	return nil
}

func (p *person) signIn(d *double) SignIn {
	p.t.Helper()
	in, err := p.SignIn(p.t.Context(), d.origin, Request{})
	must(p.t, err)
	return in
}

// decline is the browser of somebody who declines.
func (p *person) decline(address string) error {
	p.opened.Add(1)
	u, _ := url.Parse(address)
	q := u.Query()
	back := url.Values{
		"error": {"access_denied"}, "state": q["state"], "iss": {u.Scheme + "://" + u.Host + "/sso/oauth"},
	}
	go http.Get(q.Get("redirect_uri") + "?" + back.Encode())
	return nil
}

// aDay is when tests begin.
var aDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// memoryKeyring is a keyring, or one that cannot be used.
type memoryKeyring struct {
	mu      sync.Mutex
	secrets map[string]string
	broken  error
}

func (k *memoryKeyring) Set(server, secret string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken == nil {
		k.secrets[server] = secret
	}
	return k.broken
}

func (k *memoryKeyring) Get(server string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return "", k.broken
	}
	secret, ok := k.secrets[server]
	if !ok {
		return "", ErrNoSecret
	}
	return secret, nil
}

func (k *memoryKeyring) Delete(server string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return k.broken
	}
	if _, ok := k.secrets[server]; !ok {
		return ErrNoSecret
	}
	delete(k.secrets, server)
	return nil
}

func (k *memoryKeyring) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.secrets) == 0
}

var errNoBus = errors.New("no bus here")

// refused fails the test unless err says all of that, and nothing secret (S2).
func refused(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %q, and does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *double) requests(prefix string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(d.asked), func(uri string) bool {
		return !strings.HasPrefix(uri, prefix)
	}))
}
