package exchange

import (
	"net/http"
	"strings"
)

// MaxCookieValue is the greatest length, in bytes, of a cookie value that is read; a longer one counts as
// none.
const MaxCookieValue = 4096

const (
	cookieBase = "vexa_sso"
	// browsers accept it only with Secure, without Domain and with Path=/ (RFC 6265bis)
	hostPrefix = "__Host-"
)

// CookieNames are the names of a site's cookies: with the __Host- prefix wherever cookies are Secure,
// without on loopback http.
type CookieNames struct {
	Session string
	Attempt string // prefix; the attempt's id follows
	Recent  string // times of this browser's recent sign-ins
	Logout  string // state of an RP-initiated logout
	Refused string // prefix of a refused sign-in, for its own page; a part of its trace id follows
}

func cookieNames(scheme string) CookieNames {
	session := cookieBase
	if scheme == "https" {
		session = hostPrefix + session
	}
	return CookieNames{
		Session: session, Attempt: session + "_login_", Recent: session + "_recent",
		Logout: session + "_logout", Refused: session + "_refused_",
	}
}

// NewCookie returns a cookie of ours, and is the only place that makes one: host-only, HttpOnly,
// SameSite=Lax, and Secure with the __Host- prefix. Of one that must come with a cross-site POST, package
// signin then changes SameSite (attempt.go). maxAge is in seconds; a negative one deletes the cookie.
func NewCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: strings.HasPrefix(name, hostPrefix), SameSite: http.SameSiteLaxMode,
	}
}

// CookieValue returns the value of the first cookie of that name, without parsing the others.
func CookieValue(headers []string, name string) string {
	for _, line := range headers {
		for more := true; more; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			pair = strings.TrimLeft(pair, " \t")
			if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
				value := strings.TrimRight(pair[len(name)+1:], " \t")
				if len(value) > MaxCookieValue {
					return ""
				}
				return value
			}
		}
	}
	return ""
}
