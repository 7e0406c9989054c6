package exchange

import (
	"net/http"
	"net/url"
	"strings"
)

const realm = `Bearer realm="vexa-sso"`

// challenge returns the WWW-Authenticate of a 401 (RFC 6750 section 3): without an error code where the
// request had no credential.
func challenge(shown bool, detail string) string {
	if !shown {
		return realm
	}
	return realm + `, error="invalid_token", error_description="` + Describable(detail) + `"`
}

// insufficient returns the WWW-Authenticate of a 403 to a token that lacks a required scope (RFC 6750 section
// 3.1).
func insufficient(scopes string) string {
	text := realm + `, error="insufficient_scope"`
	if scopes != "" {
		text += `, scope="` + scopes + `"`
	}
	return text
}

// SignInInstead redirects a navigation to sign-in when the error says that a sign-in is needed, and returns
// nil; otherwise it returns the error (S8). A request with a program's credential is never redirected.
func (e *Edge) SignInInstead(ex *Exchange, r *http.Request, err error) error {
	pr := AsProblem(err)
	wants := pr.Code == "unauthenticated" || pr.Afresh
	if !wants || ex.Explicit || !IsNavigation(r) ||
		(r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return err
	}
	ex.Code = pr.Code
	Redirect(ex, LoginPath(ex.Here(), pr.Afresh))
	return nil
}

// LoginPath returns the path of the sign-in that comes back to returnTo. afresh requires a new
// authentication, also of somebody who is signed in.
func LoginPath(returnTo string, afresh bool) string {
	q := url.Values{}
	if afresh {
		q.Set("fresh", "1")
	}
	if returnTo != "" && returnTo != "/" {
		q.Set("return_to", returnTo)
	}
	if len(q) == 0 {
		return "/sso/login"
	}
	return "/sso/login?" + q.Encode()
}

// Describable replaces the characters of a sentence that an error_description may not have (RFC 6749 section
// 5.2, RFC 6750 section 3): it may be ASCII without quotation marks and backslashes.
func Describable(detail string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '’' || c == '“' || c == '”' || c == '"':
			return '\''
		case c == '\\' || c < ' ' || c > '~':
			return '?'
		}
		return c
	}, detail)
}
