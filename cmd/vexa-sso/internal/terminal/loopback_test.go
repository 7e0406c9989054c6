package terminal

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// C5: the whole sign-in through a browser. Neither a token nor the verifier that a code is worth
// nothing without is ever in a URL, the browser comes back to this machine only, and what it brings
// is bound to this sign-in.
func TestNoTokenInAnyURL(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	var seen []string
	var page string
	done := make(chan struct{})
	p.Browser = func(address string) error {
		follow := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			seen = append(seen, r.URL.String())
			return nil
		}}
		seen = append(seen, address)
		go func() {
			defer close(done)
			res, err := follow.Get(address)
			if err != nil {
				return
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			page = string(body)
		}()
		return nil
	}
	in := p.signIn(d)
	<-done
	if in.Account != "ada@acme.example" || strings.Join(in.Scopes, " ") != "bot tx" {
		t.Errorf("signed in as %q with %q", in.Account, in.Scopes)
	}
	back, err := url.Parse(seen[len(seen)-1])
	must(t, err)
	if len(seen) != 2 || back.Hostname() != "127.0.0.1" || back.Path != "/callback" {
		t.Errorf("the browser went to %q", seen)
	}
	for _, address := range append(seen, d.asked...) {
		if strings.Contains(address, "canary") || strings.Contains(address, d.verifiers[0]) {
			t.Errorf("a secret is in %q", address)
		}
	}
	if !strings.Contains(page, "You can close this window") || strings.Contains(page, "code-") ||
		strings.Contains(page, back.Query().Get("state")) {
		t.Errorf("the last page is %q", page)
	}
	if strings.Contains(p.out.String(), "canary") || !strings.Contains(p.out.String(), seen[0]) {
		t.Errorf("the person saw %q", p.out)
	}
	if len(d.verifiers[0]) < 43 || len(back.Query().Get("state")) < 43 {
		t.Error("verifier or state can be guessed")
	}
}

// knocking is a listener of a sign-in whose state is "mine", and what its sign-in got.
func knocking(t *testing.T) *loopback {
	t.Helper()
	l, err := listen("mine", "https://vexa.acme.example/sso/oauth")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go l.serve(ctx, done)
	t.Cleanup(func() { cancel(); <-done })
	return l
}

const good = "code=c&state=mine&iss=https%3A%2F%2Fvexa.acme.example%2Fsso%2Foauth"

// C5: whoever else knocks, and whatever else they bring, the sign-in goes on waiting for its own
// answer, and takes it once.
func TestOnlyTheAnswerCounts(t *testing.T) {
	t.Parallel()
	l := knocking(t)
	at := l.redirectURI()
	if u, err := url.Parse(at); err != nil || u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
		t.Fatalf("listening on %s", at)
	}
	for name, test := range map[string]struct {
		method, url, host string
		status            int
	}{
		"another state":   {"GET", at + "?" + strings.Replace(good, "mine", "yours", 1), "", 400},
		"no state":        {"GET", at + "?code=c", "", 400},
		"two states":      {"GET", at + "?" + good + "&state=mine", "", 400},
		"two codes":       {"GET", at + "?" + good + "&code=d", "", 400}, // C9
		"two issuers":     {"GET", at + "?" + good + "&iss=x", "", 400},
		"bad escape":      {"GET", at + "?" + good + "&x=%zz", "", 400},
		"too long":        {"GET", at + "?" + good + "&x=" + strings.Repeat("x", 9<<10), "", 400},
		"another path":    {"GET", strings.Replace(at, "/callback", "/", 1) + "?" + good, "", 404},
		"a path below":    {"GET", at + "/x?" + good, "", 404},
		"posted":          {"POST", at + "?" + good, "", 405},
		"only the header": {"HEAD", at + "?" + good, "", 405},
		"a rebound name":  {"GET", at + "?" + good, "evil.example", 421},
		"localhost":       {"GET", at + "?" + good, "localhost", 421},
	} {
		req, err := http.NewRequest(test.method, test.url, nil)
		must(t, err)
		req.Host = test.host
		res, err := (&http.Client{Timeout: oidctest.Patience}).Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err) // it waits for a verdict, as the answer does
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != test.status || strings.Contains(string(body), "mine") {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		select {
		case a := <-l.answers:
			t.Fatalf("%s: taken for the answer: %+v", name, a)
		default:
		}
	}

	l.verdict <- nil
	res, err := http.Get(at + "?" + good)
	must(t, err)
	res.Body.Close()
	if a := <-l.answers; a.code != "c" || a.err != nil || res.StatusCode != 200 {
		t.Errorf("the answer was taken as %+v, and answered with %d", a, res.StatusCode)
	}
	res, err = (&http.Client{Timeout: oidctest.Patience}).Get(at + "?" + good)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusGone || len(l.answers) != 0 {
		t.Errorf("the second time: %d", res.StatusCode)
	}
}

// C12: an answer of another server, or none (RFC 9207), ends the sign-in with nothing sent; so does
// a refusal, in plain words.
func TestAnswersThatEndASignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		back  string
		words []string
	}{
		"another issuer": {
			"code=c&iss=https://evil.example", []string{`"https://evil.example"`, "nothing was sent"},
		},
		"no issuer": {"code=c", []string{"nothing was sent"}},
		"declined":  {"error=access_denied&iss=ISS", []string{"was declined"}},
		"explained": {
			"error=access_denied&error_description=You+are+suspended.%1b%5b31m&iss=ISS",
			[]string{"declined: You are suspended.[31m"},
		},
		"another error": {
			"error=invalid_scope&error_description=canary-" + strings.Repeat("x", 40) + "&iss=ISS",
			[]string{"invalid_scope"},
		},
		"nothing at all": {"iss=ISS", []string{"no code"}},
		"a false code":   {"code=false&iss=ISS", []string{"took too long, or was answered twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p := newDouble(t), newPerson(t, t.TempDir())
			page := make(chan string, 1)
			p.Browser = func(address string) error {
				u, _ := url.Parse(address)
				back := strings.ReplaceAll(test.back, "ISS", url.QueryEscape(d.origin.Issuer()))
				go func() {
					res, err := http.Get(u.Query().Get("redirect_uri") + "?" + back + "&state=" +
						u.Query().Get("state"))
					if err == nil {
						body, _ := io.ReadAll(res.Body)
						page <- string(body)
					}
				}()
				return nil
			}
			_, err := p.SignIn(t.Context(), d.origin, Request{})
			refused(t, err, test.words...)
			if strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("the error steers the terminal: %q", err)
			}
			if said := <-page; !strings.Contains(said, "not signed in") {
				t.Errorf("the page says %q", said)
			}
			if n := d.requests("POST"); n != 0 && name != "a false code" {
				t.Errorf("%d requests to the server after it", n)
			}
		})
	}
}

// Row 22 (kubelogin #319, #354): the sign-in is over when it is over, also while a
// browser keeps its connections.
func TestBrowserThatKeepsConnections(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	kept := &http.Client{Transport: &http.Transport{}}
	p.Browser = func(address string) error {
		go func() {
			res, err := kept.Get(address)
			if err == nil {
				<-t.Context().Done() // never reads on
				res.Body.Close()
			}
		}()
		return nil
	}
	began := oidctest.StartStopwatch(t)
	p.signIn(d)
	if took := began.Took(); took > 4*time.Second {
		t.Errorf("took %s", took)
	}
}

// Ctrl-C ends a sign-in that waits, and leaves nothing behind.
func TestInterruptedSignIn(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	p.Browser = func(string) error { cancel(); return nil }
	if _, err := p.SignIn(ctx, d.origin, Request{}); err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
	if _, err := p.Wallet.Note(d.origin); err == nil {
		t.Error("something is kept")
	}
	p.Browser = p.agree
	p.signIn(d)
}
