package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"

	"vexa-sso/oidc/oidctest"
)

// walkPages is the program `browser` of the scripts, for BROWSER to name: a person who signs in as
// $BROWSE_AS and answers every question with $BROWSE_DO. It notes in $BROWSE_LOG that it was
// opened, and what went wrong.
func walkPages() {
	note := func(text string) {
		if f, err := os.OpenFile(os.Getenv("BROWSE_LOG"),
			os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintln(f, text)
			f.Close()
		}
	}
	note("opened")
	if len(os.Args) != 2 {
		note("called with something else than an address")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), oidctest.Patience)
	defer cancel()
	if err := walk(ctx, os.Args[1], os.Getenv("BROWSE_AS"), os.Getenv("BROWSE_DO")); err != nil {
		note(err.Error())
		giveUp(os.Args[1])
		os.Exit(1)
	}
}

// giveUp lets the sign-in that waits end.
func giveUp(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	back := url.Values{
		"error": {"the_browser_failed"}, "state": u.Query()["state"],
		"iss": {u.Scheme + "://" + u.Host + "/sso/oauth"},
	}
	if res, err := http.Get(u.Query().Get("redirect_uri") + "?" + back.Encode()); err == nil {
		res.Body.Close()
	}
}

// walk goes from an address over all pages to the one that asks nothing more.
func walk(ctx context.Context, address, who, decision string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	b := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	next, form := address, url.Values(nil)
	for range 30 {
		at, page, err := navigate(ctx, b, next, form)
		if err != nil {
			return err
		}
		if next, form = onwards(at, page, who, decision); next == "" {
			return nil
		}
	}
	return errors.New("the pages lead in a circle")
}

// navigate opens an address, or sends a form to it, and returns the page, or where it redirects.
func navigate(
	ctx context.Context, b *http.Client, address string, form url.Values,
) (at *url.URL, page string, err error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	if on, err := res.Location(); err == nil {
		return on, "", nil
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", req.URL.Path, res.StatusCode, body)
	}
	return req.URL, string(body), err
}

var (
	pageForm  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	pageField = regexp.MustCompile(`(?s)<input[^>]* name="([^"]*)"[^>]*? value="([^"]*)"`)
	pageLink  = regexp.MustCompile(`<a class="button primary" href="([^"]+)"`)
)

// onwards is what the person does on a page: sign in, answer, enter the code, go on. "" is
// a page with nothing to do.
func onwards(at *url.URL, page, who, decision string) (next string, form url.Values) {
	if page == "" { // a redirect
		if strings.HasSuffix(at.Path, "/authorize") && at.Hostname() == "localhost" { // the provider's page
			return at.String() + "&demo_auto=1&login_hint=" + who + "@acme.example", nil
		}
		return at.String(), nil
	}
	if f := pageForm.FindStringSubmatch(page); f != nil &&
		(strings.Contains(f[2], "ticket") || strings.Contains(f[2], "user_code")) {
		form = url.Values{}
		for _, field := range pageField.FindAllStringSubmatch(f[2], -1) {
			form.Set(field[1], html.UnescapeString(field[2]))
		}
		if form.Has("ticket") {
			form.Set("decision", decision)
		}
		to, err := at.Parse(html.UnescapeString(f[1]))
		if err != nil {
			return "", nil
		}
		return to.String(), form
	}
	if link := pageLink.FindStringSubmatch(page); link != nil {
		return html.UnescapeString(link[1]), nil
	}
	return "", nil
}
