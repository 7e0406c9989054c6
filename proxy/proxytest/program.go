package proxytest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
)

// Bearer returns an access token of Okta's with the claims of a sign-in.
func (w *World) Bearer(who string) string {
	return w.Okta.Sign(w.BearerClaims(who))
}

func (w *World) BearerClaims(who string) oidctest.Claims {
	person, _ := w.Okta.Person(who)
	return w.Okta.AccessTokenClaims(who, "0oa2program", "vexa").
		With("groups", append([]string{"Everyone"}, person.Groups...)).With("email", person.Email).
		With("email_verified", true)
}

// NewToken makes a personal token of somebody who has signed in before, and returns its value too.
func (w *World) NewToken(email string, scopes ...string) (mapping.Token, string) {
	w.T.Helper()
	token, value, err := w.Accounts.CreateToken(w.T.Context(), AccountOf(w.T, w, email), mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: "CI", Scopes: rule.NewScopes(scopes...), Lifetime: 24 * time.Hour,
	}, "test")
	Must(w.T, err)
	return token, value
}

// Program returns a client without cookies.
func (w *World) Program() *Browser { return &Browser{w.Client(nil), w} }

// SendForm sends a form as a browser does from our page.
func (b *Browser) SendForm(path string, form url.Values) Answer {
	b.W.T.Helper()
	return b.Send("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded",
		"Accept", "text/html", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Origin", b.W.Public)
}

// TokenForm returns the page's form for a new token, filled in.
func (b *Browser) TokenForm(name string, seconds int64, scopes ...string) url.Values {
	b.W.T.Helper()
	res := b.Get("/sso/tokens", Navigation...)
	once := OnceField.FindStringSubmatch(res.Body)
	if res.Status != http.StatusOK || once == nil {
		b.W.T.Fatalf("the page: %d %s", res.Status, res.Body)
	}
	return url.Values{
		"once": {once[1]}, "name": {name}, "scope": scopes, "expires_in": {strconv.FormatInt(seconds, 10)},
	}
}

// SendJSON sends JSON as a script of our page does.
func (b *Browser) SendJSON(method, path, body string) Answer {
	b.W.T.Helper()
	return b.Send(method, path, body, "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin",
		"Sec-Fetch-Mode", "cors")
}

func (w *World) TokensOf(email string) []mapping.Token {
	w.T.Helper()
	tokens, err := w.Accounts.TokensOf(w.T.Context(), AccountOf(w.T, w, email))
	Must(w.T, err)
	return tokens
}

// Alive reports whether a value is that of a valid token.
func (w *World) Alive(value string) bool {
	hash, ok := mapping.ParseTokenValue(mapping.AccessValue, value)
	if !ok {
		return false
	}
	_, _, err := w.Accounts.TokenByValue(w.T.Context(), hash)
	return err == nil
}

// MakeToken makes a token of a person, as the page does.
func (w *World) MakeToken(email string, scopes ...string) mapping.Token {
	w.T.Helper()
	token, _, err := w.Accounts.CreateToken(w.T.Context(), AccountOf(w.T, w, email), mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: "n8n", Scopes: rule.NewScopes(scopes...), Lifetime: time.Hour,
	}, "test")
	Must(w.T, err)
	return token
}

// TakingBearers is an option: Okta's access tokens for api://default are accepted.
func TakingBearers(o *Options) { o.audiences = []string{"api://default"} }

// MadeUp returns a token value with a valid checksum that was never issued.
func MadeUp(t testing.TB) string {
	t.Helper()
	value, err := mapping.NewTokenValue(rand.Reader, mapping.AccessValue)
	Must(t, err)
	return value
}

var OnceField = regexp.MustCompile(`name="once" value="([^"]+)"`)
