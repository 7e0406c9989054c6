package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// Row 22 (kubelogin #389): however many shells want a token at once, one renews it and all have it. A second
// renewal would spend a token that is spent already, which is theft to the server.
func TestManyShellsRenewOnce(t *testing.T) {
	t.Parallel()
	d, dir := newDouble(t), t.TempDir()
	p := newPerson(t, dir)
	p.signIn(d)
	p.clock.Advance(59*time.Minute + 30*time.Second)
	tokens := make([]string, 20)
	var shells sync.WaitGroup
	for i := range tokens {
		shells.Go(func() {
			shell := *p
			shell.Terminal = &Terminal{Err: p.out, Now: p.clock.Now}
			shell.open(dir)
			token, err := shell.Token(t.Context(), d.origin, Soon)
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token
		})
	}
	shells.Wait()
	for _, token := range tokens {
		if token != "canary-access-2" {
			t.Errorf("a shell got %q", token)
		}
	}
	if d.renewals != 1 {
		t.Errorf("renewed %d times", d.renewals)
	}
}

func TestTokenIsRenewedWhenNeeded(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	for _, step := range []struct {
		pass     time.Duration
		atLeast  time.Duration
		want     string
		renewals int
	}{
		{0, Soon, "canary-access-1", 0},
		{20 * time.Minute, Lasting, "canary-access-1", 0},
		{15 * time.Minute, Soon, "canary-access-1", 0},
		{0, Lasting, "canary-access-2", 1}, // 25 minutes are too few for a program that cannot ask again
		{time.Hour, Soon, "canary-access-3", 2},
		{time.Hour, Soon, "canary-access-4", 3}, // with what the renewal brought
	} {
		p.clock.Advance(step.pass)
		got, err := p.Token(t.Context(), d.origin, step.atLeast)
		if err != nil || got != step.want || d.renewals != step.renewals {
			t.Errorf("%+v: %q after %d renewals, %v", step, got, d.renewals, err)
		}
	}
	if p.opened.Load() != 1 {
		t.Errorf("a browser was opened %d times", p.opened.Load())
	}
}

// A server that gives tokens for a moment only is asked each time, and never in a loop.
func TestTokensForAMoment(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	d.lifetime = 0
	p.signIn(d)
	for range 3 {
		if _, err := p.Token(t.Context(), d.origin, Soon); err != nil {
			t.Fatal(err)
		}
	}
	if d.renewals != 3 {
		t.Errorf("renewed %d times", d.renewals)
	}
}

// The answer to a renewal got lost on its way: the spent token is good once more for a
// moment, which is used at once.
func TestLostRenewal(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	p.clock.Advance(2 * time.Hour)
	lost := 0
	d.set(func() {
		d.instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/sso/oauth/token" || lost > 0 {
				return false
			}
			lost++
			panic(http.ErrAbortHandler)
		}
	})
	if token, err := p.Token(t.Context(), d.origin, Soon); err != nil ||
		token != "canary-access-2" || lost != 1 {
		t.Errorf("%q, %v", token, err)
	}
}

// A server that cannot be asked ends nothing: what is still good is used, and the rest waits.
func TestServerGone(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	d.set(func() {
		d.instead = func(w http.ResponseWriter, r *http.Request) bool {
			reply(w, http.StatusServiceUnavailable, map[string]any{
				"error":             "temporarily_unavailable",
				"error_description": "canary-refresh-1 canary-access-1-and-more-of-it",
			})
			return true
		}
	})
	p.clock.Advance(59*time.Minute + 30*time.Second)
	if token, err := p.Token(t.Context(), d.origin, Soon); err != nil || token != "canary-access-1" {
		t.Errorf("half a minute before its end: %q, %v", token, err)
	}
	p.clock.Advance(time.Minute)
	_, err := p.Token(t.Context(), d.origin, Soon)
	refused(t, err, "cannot answer right now", "503")
	d.set(func() { d.instead = nil })
	if token, err := p.Token(t.Context(), d.origin, Soon); err != nil || token != "canary-access-2" {
		t.Errorf("back again: %q, %v", token, err)
	}
	if p.opened.Load() != 1 {
		t.Error("an outage opened a browser")
	}
}

// What is no token is none, whatever status it comes with, and none of it is repeated.
func TestGarbageFromTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	const access, refresh = `"access_token":"canary-a"`, `"refresh_token":"canary-r"`
	for name, answer := range map[string]string{
		"a page":          "<html>canary",
		"nothing":         "",
		"no access token": `{"token_type":"Bearer",` + refresh + `}`,
		"another type":    `{"token_type":"DPoP",` + access + `,` + refresh + `}`,
		"a header of its own": `{"token_type":"Bearer","access_token":"canary\r\nHost: evil.example",` +
			refresh + `}`,
		"a quote": `{"token_type":"Bearer","access_token":"canary\"\nurl = https://evil.example",` +
			refresh + `}`,
		"a number": `{"token_type":"Bearer","access_token":7,` + refresh + `}`,
		"without end": `{"token_type":"Bearer","access_token":"` + strings.Repeat("canary", 1000) +
			`",` + refresh + `}`,
		"backwards":             `{"token_type":"Bearer","expires_in":-5,` + access + `,` + refresh + `}`,
		"an error like a token": `{"error":"canary-canary-canary-canary-canary"}`,
	} {
		for _, status := range []int{200, 400} {
			d, p := newDouble(t), newPerson(t, t.TempDir())
			p.signIn(d)
			p.clock.Advance(2 * time.Hour)
			d.set(func() {
				d.instead = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/sso/oauth/token" {
						return false
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					fmt.Fprint(w, answer)
					return true
				}
			})
			token, err := p.Token(t.Context(), d.origin, Soon)
			if err == nil {
				t.Fatalf("%s, %d: taken for %q", name, status, token)
			}
			refused(t, err, "answered with something that is no token")
			if in, err := p.Wallet.get(d.origin); err != nil || in.Ended ||
				in.Secrets.Refresh != "canary-refresh-1" {
				t.Errorf("%s: the sign-in was not kept: %v", name, err)
			}
		}
	}
}

// Row 22: a sign-in that has ended says so, with what to type, to a script; the server is
// not asked again and again.
func TestEndedForAScript(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	d.forget()
	p.clock.Advance(2 * time.Hour)
	for range 3 {
		_, err := p.Token(t.Context(), d.origin, Soon)
		refused(t, err, "sign in again: vexa-sso login "+string(d.origin))
		if again := new(SignInAgain); !errors.As(err, &again) {
			t.Errorf("%T", err)
		}
	}
	if n := d.requests("POST /sso/oauth/token"); n != 2 { // the sign-in's, and one
		t.Errorf("the server was asked %d times", n)
	}
	if !p.keys.empty() || p.opened.Load() != 1 {
		t.Error("a dead secret is kept, or a browser was opened for a script")
	}
	p.signIn(d)
	if _, err := p.Token(t.Context(), d.origin, Soon); err != nil {
		t.Error(err)
	}
}

// Row 22 (kubelogin #904, #1330; cloudflared #602): for somebody who is there one browser is opened, whatever
// number of shells wants one, and the others take what comes of it.
func TestOneBrowserForManyShells(t *testing.T) {
	t.Parallel()
	d, dir := newDouble(t), t.TempDir()
	p := newPerson(t, dir)
	p.signIn(d)
	d.forget()
	p.clock.Advance(2 * time.Hour)
	var shells sync.WaitGroup
	for range 8 {
		shells.Go(func() {
			shell := *p
			shell.Terminal = &Terminal{Err: p.out, Now: p.clock.Now, Browser: p.agree, Person: true}
			shell.open(dir)
			if token, err := shell.Token(t.Context(), d.origin, Soon); err != nil ||
				token != "canary-access-2" {
				t.Errorf("a shell got %q, %v", token, err)
			}
		})
	}
	shells.Wait()
	if n := p.opened.Load(); n != 2 {
		t.Errorf("%d browsers were opened, the first of them for the sign-in", n)
	}
}

// Row 22 (kubelogin #904, #1330): after three prompts that nobody finished no browser is opened until the
// person signs in by themselves, for a night or a weekend.
func TestPromptsEnd(t *testing.T) {
	t.Parallel()
	d, dir := newDouble(t), t.TempDir()
	p := newPerson(t, dir)
	p.signIn(d)
	d.forget()
	p.Person, p.Browser = true, p.decline
	for i := range 10 {
		p.clock.Advance(2 * time.Hour)
		p.open(dir) // another start of the program
		_, err := p.Token(t.Context(), d.origin, Soon)
		if i < 3 {
			refused(t, err, "declined")
		} else {
			refused(t, err, "3 times nobody finished", "sign in again: vexa-sso login "+string(d.origin))
		}
	}
	if n := p.opened.Load(); n != 1+3 {
		t.Errorf("%d browsers were opened, the first of them for the sign-in", n)
	}
	p.Browser = p.agree
	p.signIn(d)
	d.forget()
	p.clock.Advance(2 * time.Hour)
	if _, err := p.Token(t.Context(), d.origin, Soon); err != nil || p.opened.Load() != 6 {
		t.Errorf("after a sign-in nobody is asked: %v", err)
	}
}

// Row 22 (cloudflared #1692): nobody waits for a lock that they hold themselves, or that a dead process held.
func TestLocksAreGivenBack(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	for range 2 {
		p.signIn(d)
		p.Browser = p.decline
		if _, err := p.SignIn(t.Context(), d.origin, Request{}); err == nil {
			t.Error("declined and signed in")
		}
		p.Browser = p.agree
		must(t, p.SignOut(t.Context(), d.origin))
	}
	left, err := filepath.Glob(filepath.Join(p.Wallet.dir, "*.json"))
	if err != nil || len(left) != 0 {
		t.Errorf("left after signing out: %q", left)
	}
}

// Two who sign in by themselves at the same time to the same server need one browser.
func TestTwoSignIns(t *testing.T) {
	t.Parallel()
	d, dir := newDouble(t), t.TempDir()
	p := newPerson(t, dir)
	waiting := make(chan struct{})
	p.Browser = func(address string) error {
		p.clock.Advance(time.Second)
		<-waiting // until the other waits for us
		return p.agree(address)
	}
	var shells sync.WaitGroup
	shells.Go(func() { p.signIn(d) })
	other := *p
	said := &oidctest.LogBook{}
	other.Terminal = &Terminal{Err: writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("Waiting for it")) {
			close(waiting)
		}
		return said.Write(b)
	}), Now: func() time.Time { return aDay }, Browser: p.agree}
	other.open(dir)
	for { // until the first has the lock
		unlock, err := other.Wallet.lock(t.Context(), d.origin, "never", func() {})
		must(t, err)
		unlock()
		if d.requests("GET /.well-known/") > 0 {
			break
		}
		runtime.Gosched()
	}
	in, err := other.SignIn(t.Context(), d.origin, Request{})
	must(t, err)
	shells.Wait()
	if p.opened.Load() != 1 || in.Origin != d.origin {
		t.Errorf("%d browsers were opened", p.opened.Load())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Row 22 (kubelogin #29, cloudflared #223): to sign out ends it on the server, and here.
func TestSignOut(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	must(t, p.SignOut(t.Context(), d.origin))
	if len(d.revoked) != 1 || d.revoked[0] != "canary-refresh-1" || !p.keys.empty() {
		t.Errorf("revoked %q", d.revoked)
	}
	err := p.SignOut(t.Context(), d.origin)
	if none := new(NotSignedIn); !errors.As(err, &none) {
		t.Errorf("the second time: %v", err)
	}
	_, err = p.Token(t.Context(), d.origin, Soon)
	refused(t, err, "not signed in", "vexa-sso login "+string(d.origin))

	p.signIn(d)
	d.server.Close()
	refused(t, p.SignOut(t.Context(), d.origin), "cannot be reached", "forgotten here",
		string(d.origin)+"/sso/tokens")
	if _, err := p.Wallet.Note(d.origin); err == nil || !p.keys.empty() {
		t.Error("it is still kept")
	}
}

// To sign in again ends what was there before: nothing piles up on the server.
func TestSignInReplaces(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	in, err := p.SignIn(t.Context(), d.origin, Request{Scopes: []string{"tx"}})
	must(t, err)
	if strings.Join(in.Scopes, " ") != "tx" || len(d.revoked) != 1 || d.revoked[0] != "canary-refresh-1" {
		t.Errorf("%+v, revoked %q", in, d.revoked)
	}
	if len(d.live) != 1 {
		t.Errorf("%d are live", len(d.live))
	}
	d.forget()
	p.clock.Advance(2 * time.Hour)
	p.Person = true
	if _, err := p.Token(t.Context(), d.origin, Soon); err != nil {
		t.Fatal(err)
	}
	if in, err = p.Wallet.Note(d.origin); err != nil || strings.Join(in.Scopes, " ") != "tx" {
		t.Errorf("asked again by itself, it got %q", in.Scopes)
	}
}

func TestSeveralServers(t *testing.T) {
	t.Parallel()
	one, two := newDouble(t), newDouble(t)
	p := newPerson(t, t.TempDir())
	_, err := p.Choose()
	refused(t, err, "vexa-sso login https://vexa.acme.example")
	for _, d := range []*double{one, two, one} {
		p.clock.Advance(time.Second)
		p.signIn(d)
		if origin, err := p.Choose(); err != nil || origin != d.origin {
			t.Errorf("%s is meant, after a sign-in to %s", origin, d.origin)
		}
	}
	must(t, p.SignOut(t.Context(), one.origin))
	if origin, err := p.Choose(); err != nil || origin != two.origin {
		t.Errorf("%s is meant, %v", origin, err)
	}
}

// A secret is nowhere but where it is kept, and in the token that was asked for (S2).
func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	d, dir := newDouble(t), t.TempDir()
	p := newPerson(t, dir)
	in := p.signIn(d)
	p.clock.Advance(2 * time.Hour)
	_, err := p.Token(t.Context(), d.origin, Soon)
	must(t, err)
	full, err := p.Wallet.get(d.origin)
	must(t, err)
	for _, text := range []string{
		fmt.Sprint(in), fmt.Sprintf("%+v %#v", full.Secrets, *full.Secrets),
		full.Secrets.LogValue().String(), p.out.String(),
	} {
		if strings.Contains(text, "canary") {
			t.Errorf("printed: %s", text)
		}
	}
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("canary")) {
			t.Errorf("%s has it, beside the keyring", path)
		}
		return err
	}))
	for _, uri := range d.asked {
		if u, err := url.Parse(strings.TrimPrefix(uri, "GET ")); err == nil &&
			strings.Contains(u.RawQuery, "canary") {
			t.Errorf("asked: %s", uri)
		}
	}
}

// A renewal under way is finished and kept, also if its shell is interrupted: its token is spent by then.
func TestInterruptedRenewal(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	p.clock.Advance(2 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	d.set(func() {
		d.instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/sso/oauth/token" {
				cancel()
			}
			return false
		}
	})
	p.Token(ctx, d.origin, Soon)
	in, err := p.Wallet.get(d.origin)
	if err != nil || in.Secrets.Refresh != "canary-refresh-2" {
		t.Errorf("kept %q, %v", in.Secrets.Refresh, err)
	}
}
