package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	lru "github.com/hashicorp/golang-lru/v2"

	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

const (
	maxAttempts     = 5 // sign-ins that one browser may have in flight
	attemptLifetime = 15 * time.Minute
)

// attempt is a sign-in in flight: state, nonce and PKCE verifier, sealed in a cookie of its own so that
// several tabs do not get in each other's way.
type attempt struct {
	oidc.Attempt
	ReturnTo string `json:"return_to"`

	// Fresh requires the person to authenticate at the provider, whether or not they are signed in there.
	Fresh bool `json:"fresh,omitempty"`

	// Renews is the id of the session of a silent renewal, and Account that of its account; empty for a
	// sign-in.
	Renews  string `json:"renews,omitempty"`
	Account string `json:"account,omitempty"`

	Recent []int64 `json:"recent,omitempty"` // this browser's recent sign-ins, in Unix seconds
}

// attemptCookies keeps sign-ins in flight in the browser that started them, and nowhere else: what binds a
// response to a browser is that it comes with the cookie.
type attemptCookies struct {
	codec securecookie.Codec
	now   func() time.Time

	// spent are the attempts that came back. Deleting a cookie is only a request to the browser: whoever
	// keeps it could have us ask the provider again and again.
	spent *lru.Cache[string, struct{}]
}

const maxSpent = 50_000 // entries of the LRU of spent attempts

func newAttemptCookies(codec securecookie.Codec, now func() time.Time) *attemptCookies {
	spent, err := lru.New[string, struct{}](maxSpent)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &attemptCookies{codec: codec, now: now, spent: spent}
}

// attemptName returns the name of the cookie of the attempt with that state.
func attemptName(site *exchange.Site, state string) string {
	sum := sha256.Sum256([]byte(state))
	return site.Cookies.Attempt + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// keep sets the cookie of an attempt, and deletes the oldest ones beyond maxAttempts.
func (c *attemptCookies) keep(ex *exchange.Exchange, r *http.Request, a attempt, crossSitePost bool) error {
	name := attemptName(ex.Site, a.State)
	value, err := c.codec.Encode(name, a)
	if err != nil {
		return fmt.Errorf("sealing the sign-in attempt: %w", err)
	}
	open := c.open(ex.Site, r)
	for len(open) >= maxAttempts {
		http.SetCookie(ex, attemptCookie(open[0].name, "", -1, crossSitePost))
		open = open[1:]
	}
	http.SetCookie(ex, attemptCookie(name, value, int(attemptLifetime/time.Second), crossSitePost))
	return nil
}

// take returns the attempt with that state and deletes its cookie: an attempt can be finished once.
func (c *attemptCookies) take(
	ex *exchange.Exchange, r *http.Request, state string, crossSitePost bool,
) (attempt, bool) {
	name := attemptName(ex.Site, state)
	value := exchange.CookieValue(r.Header["Cookie"], name)
	if value == "" {
		return attempt{}, false
	}
	http.SetCookie(ex, attemptCookie(name, "", -1, crossSitePost))
	a, ok := c.decode(name, value)
	if !ok {
		return attempt{}, false
	}
	if again, _ := c.spent.ContainsOrAdd(name, struct{}{}); again {
		return attempt{}, false
	}
	return a, true
}

// opens reports whether take would return the attempt with that state, and leaves it and its cookie alone:
// who is told to come again needs both.
func (c *attemptCookies) opens(ex *exchange.Exchange, r *http.Request, state string) bool {
	name := attemptName(ex.Site, state)
	value := exchange.CookieValue(r.Header["Cookie"], name)
	_, ok := c.decode(name, value)
	return value != "" && ok && !c.spent.Contains(name)
}

func (c *attemptCookies) decode(name, value string) (attempt, bool) {
	var a attempt
	if err := c.codec.Decode(name, value, &a); err != nil {
		return attempt{}, false
	}
	age := c.now().Sub(a.IssuedAt)
	return a, age >= -time.Minute && age < attemptLifetime
}

type openAttempt struct {
	name   string
	issued time.Time
}

// open returns the attempts of a browser, oldest first; invalid ones count as oldest of all.
func (c *attemptCookies) open(site *exchange.Site, r *http.Request) []openAttempt {
	var open []openAttempt
	for name, value := range cookiesWithPrefix(r.Header["Cookie"], site.Cookies.Attempt) {
		a, ok := c.decode(name, value)
		if !ok {
			a.IssuedAt = time.Time{}
		}
		open = append(open, openAttempt{name, a.IssuedAt})
	}
	slices.SortFunc(open, func(a, b openAttempt) int { return a.issued.Compare(b.issued) })
	return open
}

func attemptCookie(name, value string, maxAge int, crossSitePost bool) *http.Cookie {
	cookie := exchange.NewCookie(name, value, maxAge)
	if crossSitePost && cookie.Secure {
		// a form_post response is a cross-site POST, on which browsers send no Lax cookies
		cookie.SameSite = http.SameSiteNoneMode
	}
	return cookie
}

// cookiesWithPrefix returns the cookies whose names start with prefix: at most 50, however many were sent
// (D10).
func cookiesWithPrefix(headers []string, prefix string) map[string]string {
	const most = 50
	found := make(map[string]string)
	for _, line := range headers {
		for more := true; more && len(found) < most; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && strings.HasPrefix(name, prefix) && len(value) <= exchange.MaxCookieValue {
				found[name] = value
			}
		}
	}
	return found
}
