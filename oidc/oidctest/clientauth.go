package oidctest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The ways in which a client can prove itself at the token endpoint (OpenID Connect Core, section 9).
const (
	authBasic      = "client_secret_basic"
	authPost       = "client_secret_post"
	authSecretJWT  = "client_secret_jwt"
	authPrivateJWT = "private_key_jwt"
	authNone       = "none"
)

// credentials are what a request says about its client, unchecked.
type credentials struct {
	method    string
	id        string
	secret    string
	assertion string
	several   bool // more than one method at once
}

// readCredentials takes the client's credentials from the Authorization header and the form. Both halves of
// Basic are form-encoded first (RFC 6749, section 2.3.1).
func readCredentials(r *http.Request, form url.Values) credentials {
	c := credentials{
		method: authNone, id: form.Get("client_id"), secret: form.Get("client_secret"),
		assertion: form.Get("client_assertion"),
	}
	user, password, basic := r.BasicAuth()
	switch {
	case basic:
		c.several = c.secret != "" || c.assertion != ""
		c.method, c.id, c.secret = authBasic, unescape(user), unescape(password)
	case c.assertion != "":
		c.several = c.secret != ""
		c.method = assertionMethod(c.assertion)
		if c.id == "" {
			c.id = assertionSubject(c.assertion)
		}
	case c.secret != "":
		c.method = authPost
	}
	return c
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func assertionMethod(assertion string) string {
	header, _, err := Decode(assertion)
	if alg, ok := header["alg"].(string); err == nil && ok && strings.HasPrefix(alg, "HS") {
		return authSecretJWT
	}
	return authPrivateJWT
}

func assertionSubject(assertion string) string {
	_, claims, err := Decode(assertion)
	if err != nil {
		return ""
	}
	subject, _ := claims["sub"].(string)
	return subject
}

// knows compares in constant time, out of habit: the double keeps no secrets worth a clock.
func knows(secrets []string, secret string) bool {
	want := sha256.Sum256([]byte(secret))
	return slices.ContainsFunc(secrets, func(s string) bool {
		have := sha256.Sum256([]byte(s))
		return subtle.ConstantTimeCompare(want[:], have[:]) == 1
	})
}
