package proxytest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// Browser is a client with cookies that follows no redirects by itself.
type Browser struct {
	*http.Client
	W *World
}

// Browser returns a new browser without cookies.
func (w *World) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	Must(w.T, err)
	return &Browser{w.Client(jar), w}
}

// Client returns an HTTP client that reaches this replica at the public URL, as through a load balancer.
func (w *World) Client(jar http.CookieJar) *http.Client {
	way := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.listens)
	}}
	w.T.Cleanup(way.CloseIdleConnections)
	return &http.Client{
		Jar: jar, Transport: way, Timeout: oidctest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// At returns the same browser, sent to another replica.
func (b *Browser) At(w *World) *Browser { return &Browser{w.Client(b.Jar), w} }

// SignIn signs a person in and returns their browser.
func (w *World) SignIn(who string) *Browser {
	w.T.Helper()
	b := w.Browser()
	res := b.SignIn(who, "/sso/login")
	if res.Status != http.StatusSeeOther || b.Cookie() == "" {
		w.T.Fatalf("signing %s in: %d %s", who, res.Status, res.Body)
	}
	return b
}

// SignIn follows a sign-in from a login path to the response of the callback.
func (b *Browser) SignIn(who, login string) Answer {
	b.W.T.Helper()
	res := b.Get(login)
	location := res.Header.Get("Location")
	if res.Status != http.StatusSeeOther {
		b.W.T.Fatalf("GET %s: %d %s", login, res.Status, res.Body)
	}
	callback, err := b.W.Okta.SignIn(b.W.T.Context(), location, who)
	Must(b.W.T, err)
	return b.Get(strings.TrimPrefix(callback.URL, b.W.Public))
}

// Refusal opens the page that a callback led to, as a browser does, and fails if it is not that of a refusal.
func (b *Browser) Refusal(back Answer) Answer {
	b.W.T.Helper()
	location := back.Header.Get("Location")
	if back.Status != http.StatusSeeOther || !strings.HasPrefix(location, "/sso/refused/") {
		b.W.T.Fatalf("no refusal: %d to %q: %s", back.Status, location, back.Body)
	}
	return b.Get(location, Navigation...)
}

// Cookie returns the browser's session cookie, name=value.
func (b *Browser) Cookie() string {
	u, _ := url.Parse(b.W.Public)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "vexa_sso" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// Answer is a response, with its body read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Code returns the code of a problem in JSON.
func (a Answer) Code() string {
	var said struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(a.Body), &said)
	return said.Code
}

// Get is Send with GET.
func (b *Browser) Get(path string, header ...string) Answer {
	return b.Send("GET", path, "", header...)
}

// Send sends a request; header is a list of names and values.
func (b *Browser) Send(method, path, body string, header ...string) Answer {
	b.W.T.Helper()
	req, err := http.NewRequestWithContext(b.W.T.Context(), method, b.W.Public+path, strings.NewReader(body))
	Must(b.W.T, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := b.Do(req)
	Must(b.W.T, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	Must(b.W.T, err)
	return Answer{res.StatusCode, res.Header, string(text)}
}

// Raw sends bytes as they are and returns the first response to them.
func (w *World) Raw(request string) Answer {
	w.T.Helper()
	return Raw(w.T, w.Host, request)
}

// Raw sends bytes as they are to a host and returns the first response to them.
func Raw(t testing.TB, host, request string) Answer {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	Must(t, err)
	defer conn.Close()
	Must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
	_, err = io.WriteString(conn, request)
	Must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return Answer{Body: err.Error()}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, string(text)}
}

// Arrives reports whether following a redirect back from the provider leads to the page after sign-out.
func (b *Browser) Arrives(back string) bool {
	res := b.Get(back)
	if location := res.Header.Get("Location"); res.Status == http.StatusSeeOther {
		res = b.Get(location)
	}
	return res.Status == http.StatusOK && strings.Contains(res.Body, "signed out")
}

// KeepsLogoutState reports whether the browser has the cookie of a sign-out that went on at the provider.
func (b *Browser) KeepsLogoutState() bool {
	u, _ := url.Parse(b.W.Public)
	for _, cookie := range b.Jar.Cookies(u) {
		if cookie.Name == "vexa_sso_logout" {
			return true
		}
	}
	return false
}

// DropCookie replaces a cookie of ours, or deletes it with an empty value.
func (b *Browser) DropCookie(name, value string) {
	age := 0
	if value == "" {
		age = -1
	}
	b.Jar.SetCookies(b.W.url(), []*http.Cookie{{Name: name, Value: value, Path: "/", MaxAge: age}})
}

func (w *World) url() *url.URL {
	u, err := url.Parse(w.Public)
	Must(w.T, err)
	return u
}

// Begin sends a request of this site's own page and returns the response when its headers have come.
func (b *Browser) Begin(method, path string) *http.Response {
	b.W.T.Helper()
	req, err := http.NewRequestWithContext(b.W.Within(20*time.Second), method, b.W.Public+path, nil)
	Must(b.W.T, err)
	req.Header.Set("Cookie", b.Cookie())
	req.Header.Set("Origin", b.W.Public)
	res, err := (&http.Transport{}).RoundTrip(req)
	Must(b.W.T, err)
	b.W.T.Cleanup(func() { res.Body.Close() })
	return res
}

// HeaderText returns headers as they go over the wire.
func HeaderText(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b)
	return b.String()
}

// MustURL parses a URL.
func MustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	Must(t, err)
	return u
}

// Navigation is the headers of a browser that opens a page.
var Navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}
