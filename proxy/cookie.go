package proxy

import (
	"strings"
)

// cookieNames are the names of our cookies: with the __Host- prefix wherever cookies are Secure, without on loopback http.
type cookieNames struct {
	session string
	attempt string // prefix; the attempt's id follows
	recent  string // when the browser signed in lately
	logout  string // the state of a sign-out that went on at the provider
	secure  bool
}

func namesFor(scheme string) cookieNames {
	session, secure := sessionCookieName, scheme == "https"
	if secure {
		session = "__Host-" + session
	}
	return cookieNames{session: session, attempt: session + "_login_", recent: session + "_recent", logout: session + "_logout", secure: secure}
}

// cookieValue returns the value of the first cookie of that name, without parsing the others.
func cookieValue(headers []string, name string) string {
	for _, line := range headers {
		for more := true; more; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			pair = strings.TrimLeft(pair, " \t")
			if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
				value := strings.TrimRight(pair[len(name)+1:], " \t")
				if len(value) > maxCookieValue {
					return ""
				}
				return value
			}
		}
	}
	return ""
}
