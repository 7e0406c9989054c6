package authserver

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
)

func TestIsBelow(t *testing.T) {
	t.Parallel()
	public, err := url.Parse("https://vexa.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[string]bool{
		"https://vexa.acme.example": true, "https://vexa.acme.example/": true,
		"https://vexa.acme.example/mcp": true, "https://VEXA.acme.example:443/mcp?x=y": true,
		"HTTPS://vexa.acme.example": true,
		"http://vexa.acme.example":  false, "https://vexa.acme.example:444": false,
		"https://vexa.acme.example.evil.example": false, "https://evil.example/vexa.acme.example": false,
		"https://u@vexa.acme.example": false, "https://vexa.acme.example/#x": false,
		"https://vexa.acme.example#": false, "https://vexa.acme.example/x/../y": false,
		`https://vexa.acme.example\@evil.example`: false,
		"//vexa.acme.example":                     false, "/mcp": false, "": false,
		"vexa.acme.example": false, "https:vexa.acme.example": false, "urn:vexa": false,
	} {
		if got := isBelow(resource, public); got != want {
			t.Errorf("%s: %v", resource, got)
		}
	}
	if public.Path = "/base/"; isBelow("https://vexa.acme.example/basement", public) ||
		!isBelow("https://vexa.acme.example/base/x", public) ||
		isBelow("https://vexa.acme.example/", public) {
		t.Error("a path is not compared by segments")
	}
}

func TestUserCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[rune]int{}
	for range 1000 {
		code, err := newUserCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if seen[code] {
			t.Errorf("%s twice", code)
		}
		seen[code] = true
		for _, r := range code {
			letters[r]++
		}
		if got, ok := parseUserCode(" " + strings.ToLower(dashed(code)) + "\n"); !ok || got != code {
			t.Errorf("%s is read as %q", dashed(code), got)
		}
	}
	for _, r := range userCodeLetters {
		if letters[r] < 250 || letters[r] > 550 { // 400 expected
			t.Errorf("%c came %d times of 8000", r, letters[r])
		}
	}
	// 240 and more would favour the first letters.
	if code, err := newUserCode(bytes.NewReader([]byte{240, 255, 0, 1, 2, 3, 4, 19, 20, 239})); err != nil ||
		code != "BCDFGZBZ" {
		t.Errorf("%s %v", code, err)
	}
	if _, err := newUserCode(bytes.NewReader(nil)); err == nil {
		t.Error("no randomness, and a code")
	}
	for _, typed := range []string{
		"", "BCDF-GHJ", "BCDF-GHJK-L", "BCDF-GHJA", "BCDF-GHJ0", "BCDFGHJ4K",
		strings.Repeat("-", 100) + "BCDFGHJK",
	} {
		if code, ok := parseUserCode(typed); ok {
			t.Errorf("%q is read as %s", typed, code)
		}
	}
}

func TestAllowance(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	a := newKeyedLimiter(time.Minute, 2)
	for range 2 {
		if a.wait(now, "a", "b") != 0 {
			t.Error("has to wait at once")
		}
		a.take(now, "a")
	}
	if wait := a.wait(now, "b", "a"); wait != time.Minute {
		t.Errorf("waits for %s", wait)
	}
	if a.wait(now, "b") != 0 {
		t.Error("another waits too")
	}
	if wait := a.wait(now.Add(45*time.Second), "a"); wait < 14*time.Second || wait > 16*time.Second {
		t.Errorf("waits for %s", wait)
	}
	if a.wait(now.Add(time.Minute), "a") != 0 {
		t.Error("still waits")
	}
	for i := range maxKeys + 10 {
		a.take(now, string(rune(i)))
	}
	if n := a.limiters.Len(); n > maxKeys {
		t.Errorf("remembers %d", n)
	}
	if addressKey("2001:db8::1") != addressKey("2001:db8::ffff:1") ||
		addressKey("2001:db8::1") == addressKey("2001:db8:0:1::1") ||
		addressKey("192.0.2.1") == addressKey("192.0.2.2") ||
		addressKey("::ffff:192.0.2.1") == addressKey("::ffff:192.0.2.2") {
		t.Error("addresses are not told apart by who has them")
	}
}

func TestDescribable(t *testing.T) {
	t.Parallel()
	if got := proxy.Describable("Ada’s \"grant\" \\ Łódź\n"); got != "Ada's 'grant' ? ??d??" {
		t.Errorf("%q", got)
	}
}

func reader(t testing.TB) *Server {
	t.Helper()
	s, err := New(Config{PublicURL: "https://vexa.acme.example"}, Deps{Clients: BuiltinClients()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever an authorization request says, an answer to it goes to a loopback address of the one client there
// is, to its path, and says once who answers; and what is let through is complete.
func FuzzAuthorizationRequest(f *testing.F) {
	challenge := oidc.NewSHACodeChallenge(strings.Repeat("v", 43))
	ok := url.Values{
		"client_id": {CommandLine}, "redirect_uri": {"http://127.0.0.1:1/callback"},
		"response_type": {"code"}, "state": {"s"}, "scope": {"tx"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
		"resource": {"https://vexa.acme.example/mcp"},
	}.Encode()
	for _, seed := range []string{
		ok, "", "%", ok + "&state=t", strings.Replace(ok, "S256", "plain", 1), ok + "&prompt=none",
		ok + "&x=%00", strings.Replace(ok, "127.0.0.1", "[::1]", 1),
		strings.Replace(ok, "127.0.0.1%3A1", "127.0.0.1%3A1%40evil.example", 1),
		strings.Replace(ok, "callback", "callback%0d%0aSet-Cookie%3a", 1),
	} {
		f.Add(seed)
	}
	s := reader(f)
	f.Fuzz(func(t *testing.T, query string) {
		w, err := s.readAuthRequest(t.Context(), query)
		var no *unanswerable
		var refused *oidc.Error
		switch {
		case err == nil:
			if len(w.challenge) != 43 || !rule.NewScopes(s.scopes...).Covers(rule.NewScopes(w.scopes...)) {
				t.Errorf("let through: %+v", w)
			}
			if again, err := s.readAuthRequest(
				t.Context(), strings.TrimPrefix(w.location(), authorizePath+"?"),
			); err != nil ||
				again.responseURL(s.issuer, url.Values{}) != w.responseURL(s.issuer, url.Values{}) ||
				again.challenge != w.challenge {
				t.Errorf("asked again: %+v, %v, first %+v", again, err, w)
			}
		case errors.As(err, &no):
			return
		case !errors.As(err, &refused):
			t.Fatalf("another error: %v", err)
		default:
			err = refused
		}
		location := w.responseURL(s.issuer, url.Values{"code": {"c"}})
		if refused != nil {
			location = w.errorURL(s.issuer, refused)
		}
		u, err := url.Parse(location)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Path != "/callback" ||
			u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
			t.Fatalf("leads to %s", location)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(q["iss"]) != 1 || q.Get("iss") != s.issuer ||
			len(q["code"])+len(q["error"]) != 1 || len(q["state"]) > 1 ||
			strings.ContainsAny(location, "\r\n") {
			t.Errorf("says %s", location)
		}
	})
}

// Whatever a program sends, what is read of it is one plain value each, from the body alone.
func FuzzTokenRequest(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	f.Add(form, "", "grant_type=authorization_code&client_id=vexa-sso-cli&code=vssc_x&code_verifier=v")
	f.Add(form+"; charset=utf-8", "", "a=1&a=2")
	f.Add("multipart/form-data; boundary=x", "", "--x\r\n\r\n")
	f.Add(form, "a=1", "b=%zz;c&resource=a&resource=b")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		r := &http.Request{
			Method: "POST", URL: &url.URL{Path: tokenPath, RawQuery: query},
			Header: http.Header{"Content-Type": {kind}}, Body: http.NoBody,
		}
		r.Body = http.MaxBytesReader(nil, readCloser{strings.NewReader(body)}, 1<<30)
		p, err := readForm(httptest.NewRecorder(), r)
		if err != nil {
			if e := (*oidc.Error)(nil); !errors.As(err, &e) || e.ErrorType != oidc.InvalidRequest {
				t.Errorf("another error: %v", err)
			}
			return
		}
		if query != "" || len(body) > maxForm {
			t.Error("read from elsewhere, or too much")
		}
		for name, values := range p {
			for _, value := range values {
				if name != "resource" && len(values) != 1 || len(values) > maxResources || !isPlain(value) {
					t.Errorf("%q: %q", name, values)
				}
			}
		}
		scopes, err := scopesOf(p.get("scope"), []string{"bot", "tx"})
		if err == nil && len(scopes) > 2 {
			t.Errorf("scopes %q", scopes)
		}
		if code, ok := parseUserCode(body); ok && dashed(code) == "" {
			t.Error("a user code that is none")
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
