package proxy

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	lru "github.com/hashicorp/golang-lru/v2"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

const (
	maxCookieValue    = 4096 // bytes
	maxAttempts       = 5    // sign-ins that one browser may have in flight
	attemptLifetime   = 15 * time.Minute
	sessionKey        = "session" // under which a gorilla session holds ours
	sessionCookieName = "vexa_sso"
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

// sessionCookies is a sessions.Store of gorilla/sessions over our server-side store. The cookie holds nothing but an opaque
// random id, authenticated so that garbage never reaches the database.
type sessionCookies struct {
	names  cookieNames
	codec  securecookie.Codec
	store  SessionStore
	random io.Reader
	maxAge time.Duration
}

var _ sessions.Store = (*sessionCookies)(nil)

// Get returns the request's session, the same one each time.
func (c *sessionCookies) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New returns the session of the request's cookie, or a new one without an id where there is none that holds.
func (c *sessionCookies) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(c, name)
	s.Options = c.options()
	s.IsNew = true
	cookie := cookieValue(r.Header["Cookie"], name)
	if cookie == "" || c.codec.Decode(name, cookie, &s.ID) != nil {
		return s, nil
	}
	found, err := c.store.SessionByHash(r.Context(), sha256.Sum256([]byte(s.ID)))
	if err != nil {
		s.ID = ""
		return s, err
	}
	s.Values[sessionKey] = found
	s.IsNew = false
	return s, nil
}

// Save writes a new session to the store and its id to the cookie; with a negative MaxAge it takes the cookie back. The
// session itself is ended by mapping's Revoke, never here.
func (c *sessionCookies) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	if s.Options.MaxAge < 0 {
		http.SetCookie(w, sessions.NewCookie(s.Name(), "", s.Options))
		return nil
	}
	ours, ok := s.Values[sessionKey].(Session)
	if !ok {
		return fmt.Errorf("saving a session: it has no %q", sessionKey)
	}
	id, err := randomID(c.random)
	if err != nil {
		return err
	}
	s.ID, ours.Hash = id, sha256.Sum256([]byte(id))
	value, err := c.codec.Encode(s.Name(), s.ID)
	if err != nil {
		return fmt.Errorf("encoding the session cookie: %w", err)
	}
	if err := c.store.CreateSession(r.Context(), ours); err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	http.SetCookie(w, sessions.NewCookie(s.Name(), value, s.Options))
	return nil
}

func (c *sessionCookies) options() *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: int(c.maxAge / time.Second), Secure: c.names.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// session is the session of the request's cookie, from the store.
func (c *sessionCookies) session(r *http.Request) (Session, error) {
	s, err := c.New(r, c.names.session)
	if err != nil {
		return Session{}, err
	}
	found, ok := s.Values[sessionKey].(Session)
	if !ok {
		return Session{}, mapping.ErrNotFound
	}
	return found, nil
}

// start makes a session and gives its cookie to the browser: always a new id, whatever cookie came.
func (c *sessionCookies) start(w http.ResponseWriter, r *http.Request, session Session) error {
	s := sessions.NewSession(c, c.names.session)
	s.Options = c.options()
	s.Values[sessionKey] = session
	return s.Save(r, w)
}

// clear takes the session cookie back.
func (c *sessionCookies) clear(w http.ResponseWriter, r *http.Request) {
	s := sessions.NewSession(c, c.names.session)
	s.Options = c.options()
	s.Options.MaxAge = -1
	_ = s.Save(r, w) // a negative MaxAge writes a header and nothing else
}

// attempt is a sign-in in flight, sealed in a cookie of its own so that several tabs do not get into each other's way.
type attempt struct {
	oidc.Attempt
	ReturnTo string `json:"return_to"`

	// Fresh: the person has to prove to the provider that it is them, whether or not they are signed in there.
	Fresh bool `json:"fresh,omitempty"`

	// Renews is the session that is to be renewed without the person noticing, and Account is whose it is; empty for a sign-in.
	Renews  string `json:"renews,omitempty"`
	Account string `json:"account,omitempty"`

	Recent []int64 `json:"recent,omitempty"` // when this browser signed in lately, in Unix seconds
}

// attemptCookies keep sign-ins in flight in the browser that started them, and nowhere else: what binds an answer to a browser
// is that it comes with the cookie.
type attemptCookies struct {
	names cookieNames
	codec securecookie.Codec
	now   func() time.Time

	// spent are the attempts that came back. Taking the cookie back is only a request to the browser: whoever keeps it could
	// have us ask the provider again and again.
	spent *lru.Cache[string, struct{}]
}

const maxSpent = 50_000 // attempts that are remembered as spent; the oldest are forgotten first

func newAttemptCookies(names cookieNames, codec securecookie.Codec, now func() time.Time) *attemptCookies {
	spent, err := lru.New[string, struct{}](maxSpent)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &attemptCookies{names: names, codec: codec, now: now, spent: spent}
}

// attemptName is the cookie of the attempt with that state.
func (c *attemptCookies) attemptName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return c.names.attempt + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// keep gives the browser an attempt, and takes the oldest ones back beyond maxAttempts.
func (c *attemptCookies) keep(w http.ResponseWriter, r *http.Request, a attempt, crossSitePost bool) error {
	name := c.attemptName(a.State)
	value, err := c.codec.Encode(name, a)
	if err != nil {
		return fmt.Errorf("sealing the sign-in attempt: %w", err)
	}
	open := c.open(r)
	for len(open) >= maxAttempts {
		http.SetCookie(w, c.cookie(open[0].name, "", -1, crossSitePost))
		open = open[1:]
	}
	http.SetCookie(w, c.cookie(name, value, int(attemptLifetime/time.Second), crossSitePost))
	return nil
}

// take returns the attempt of a state and takes its cookie back: an attempt can be finished once.
func (c *attemptCookies) take(w http.ResponseWriter, r *http.Request, state string, crossSitePost bool) (attempt, bool) {
	name := c.attemptName(state)
	value := cookieValue(r.Header["Cookie"], name)
	if value == "" {
		return attempt{}, false
	}
	http.SetCookie(w, c.cookie(name, "", -1, crossSitePost))
	a, ok := c.decode(name, value)
	if !ok {
		return attempt{}, false
	}
	if again, _ := c.spent.ContainsOrAdd(name, struct{}{}); again {
		return attempt{}, false
	}
	return a, true
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

// open lists the attempts that the browser holds, oldest first; what does not hold any more counts as oldest of all.
func (c *attemptCookies) open(r *http.Request) []openAttempt {
	var open []openAttempt
	for name, value := range cookiesWithPrefix(r.Header["Cookie"], c.names.attempt) {
		a, ok := c.decode(name, value)
		if !ok {
			a.IssuedAt = time.Time{}
		}
		open = append(open, openAttempt{name, a.IssuedAt})
	}
	slices.SortFunc(open, func(a, b openAttempt) int { return a.issued.Compare(b.issued) })
	return open
}

func (c *attemptCookies) cookie(name, value string, maxAge int, crossSitePost bool) *http.Cookie {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: c.names.secure, SameSite: http.SameSiteLaxMode}
	if crossSitePost && c.names.secure {
		cookie.SameSite = http.SameSiteNoneMode // a form_post answer is a cross-site POST, with which Lax cookies do not come
	}
	return cookie
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

// cookiesWithPrefix returns the cookies whose names start with prefix: at most a handful, however many were sent (D10).
func cookiesWithPrefix(headers []string, prefix string) map[string]string {
	const most = 50
	found := make(map[string]string)
	for _, line := range headers {
		for more := true; more && len(found) < most; {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && strings.HasPrefix(name, prefix) && len(value) <= maxCookieValue {
				found[name] = value
			}
		}
	}
	return found
}

// randomID returns 256 random bits in base64url (D4).
func randomID(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}
