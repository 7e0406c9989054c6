package exchange

import (
	"net/http"
	"strings"
)

// MaxCookieValue is how long a value of ours can be, in bytes; a longer one is not looked at.
const MaxCookieValue = 4096

const (
	cookieBase = "vexa_sso"
	// a browser takes such a cookie only if it is Secure, for one host and for all its paths (RFC 6265bis)
	hostPrefix = "__Host-"
)

// CookieNames are the names of a site's cookies: with the __Host- prefix wherever cookies are Secure,
// without on loopback http.
type CookieNames struct {
	Session string
	Attempt string // prefix; the attempt's id follows
	Recent  string // when the browser signed in lately
	Logout  string // the state of a sign-out that went on at the provider
}

func cookieNames(scheme string) CookieNames {
	session := cookieBase
	if scheme == "https" {
		session = hostPrefix + session
	}
	return CookieNames{
		Session: session, Attempt: session + "_login_", Recent: session + "_recent",
		Logout: session + "_logout",
	}
}

// NewCookie is a cookie of ours, of which every one is made here: for this host alone, out of reach of
// scripts, and not sent with what other sites make the browser do, but for opening a page (SameSite=Lax).
// maxAge is in seconds; a negative one takes the cookie back.
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
