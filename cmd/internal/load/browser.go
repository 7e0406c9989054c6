package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"vexa-sso/mapping/keyring"
)

// caller is what somebody shows. Each has an address of their own.
type caller struct {
	number int
	header http.Header
}

// cookie is the browser of person i, whose session the store was filled with.
func (w *world) cookie(i int) (caller, error) {
	codec := w.ring.Codec(keyring.SessionCookie, 24*time.Hour, time.Now)
	value, err := codec.Encode(cookieName, w.sessionID(i))
	return caller{i, http.Header{"Cookie": {cookieName + "=" + value}}}, err
}

// token is the program of person i.
func (w *world) token(i int) caller {
	return caller{i, http.Header{"Authorization": {"Bearer " + w.tokenValue(i)}}}
}

// ask sends a request; more are names and values of headers.
func ask(
	ctx context.Context, to *http.Client, c caller, method, path string, more ...string,
) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, publicURL+path, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("X-Forwarded-For",
		fmt.Sprintf("10.%d.%d.%d", c.number>>16&255, c.number>>8&255, c.number&255))
	for i := 0; i+1 < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	res, err := to.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &answer{res.StatusCode, res.Header, string(body)}, err
}

type answer struct {
	status int
	header http.Header
	body   string
}

var navigation = []string{
	"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
	"Sec-Fetch-Site", "none",
}

// signIn signs person i in, and returns their browser.
func signIn(ctx context.Context, to *http.Client, i int) (caller, error) {
	c := caller{i, http.Header{}}
	began, err := ask(ctx, to, c, "GET", "/sso/login?provider=okta", navigation...)
	if err != nil {
		return c, err
	}
	location, err := callback(began.header.Get("Location"), i)
	if err != nil {
		return c, fmt.Errorf("%d %.300s: %w", began.status, began.body, err)
	}
	c.header.Set("Cookie", cookies(began.header))
	done, err := ask(ctx, to, c, "GET", strings.TrimPrefix(location, publicURL), navigation...)
	if err != nil {
		return c, err
	}
	session := cookies(done.header)
	if done.status != http.StatusSeeOther || !strings.Contains(session, cookieName+"=") {
		return c, fmt.Errorf("sign-in of %d: %d %.300s", i, done.status, done.body)
	}
	c.header.Set("Cookie", session)
	return c, nil
}

// cookies are those that an answer sets, as a browser sends them.
func cookies(h http.Header) string {
	var pairs []string
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.MaxAge >= 0 && c.Value != "" {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// signOut ends the session of a browser.
func signOut(ctx context.Context, to *http.Client, c caller) error {
	done, err := ask(ctx, to, c, "POST", "/sso/logout",
		"Sec-Fetch-Site", "same-origin", "Origin", publicURL)
	if err == nil && done.status != http.StatusSeeOther {
		err = fmt.Errorf("sign-out: %d %.300s", done.status, done.body)
	}
	return err
}

// use is an ordinary request, which goes to Vexa.
func use(ctx context.Context, to *http.Client, c caller) (int, error) {
	a, err := ask(ctx, to, c, "GET", "/meetings")
	if err != nil {
		return 0, err
	}
	return a.status, nil
}
