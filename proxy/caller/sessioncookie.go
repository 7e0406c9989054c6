package caller

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"vexa-sso/mapping"
	"vexa-sso/proxy/exchange"
)

// sessionCookies is a sessions.Store of gorilla/sessions over our server-side store. The cookie holds nothing
// but an opaque random id, signed so that garbage never reaches the database.
type sessionCookies struct {
	codec  securecookie.Codec
	store  SessionStore
	random io.Reader
	maxAge time.Duration
}

// The keys of sessions.Session.Values: our SignedIn, or the Session that begins, and who writes that.
const (
	sessionKey = "session"
	writeKey   = "write"
)

// WriteSession writes a session that begins: in a transaction, by put.
type WriteSession func(put func(mapping.Tx) error) error

var _ sessions.Store = (*sessionCookies)(nil)

// Get implements sessions.Store: the same session for each call with a request.
func (c *sessionCookies) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New implements sessions.Store: the session of the request's cookie, or a new one without an id where there
// is no valid one.
func (c *sessionCookies) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(c, name)
	s.Options = c.options()
	s.IsNew = true
	cookie := exchange.CookieValue(r.Header["Cookie"], name)
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

// Save implements sessions.Store: it writes a new session to the store and its id to the cookie. Nothing ends
// here: a session ends by mapping's Revoke, and TakeCookieBack deletes its cookie.
func (c *sessionCookies) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	ours, ok := s.Values[sessionKey].(Session)
	write, begins := s.Values[writeKey].(WriteSession)
	if !ok || !begins {
		return errors.New("saving a session: it is not one that begins")
	}
	id, err := RandomID(c.random)
	if err != nil {
		return err
	}
	s.ID, ours.Hash = id, sha256.Sum256([]byte(id))
	value, err := c.codec.Encode(s.Name(), s.ID)
	if err != nil {
		return fmt.Errorf("encoding the session cookie: %w", err)
	}
	err = write(func(tx mapping.Tx) error {
		sessions, ok := tx.(SessionTx)
		if !ok {
			return fmt.Errorf("saving the session: a %T has no room for one", tx)
		}
		return sessions.PutSession(ours)
	})
	if err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	http.SetCookie(w, exchange.NewCookie(s.Name(), value, s.Options.MaxAge))
	return nil
}

func (c *sessionCookies) options() *sessions.Options {
	return &sessions.Options{MaxAge: int(c.maxAge / time.Second)} // NewCookie sets the other attributes
}

// session returns the session of the request's cookie of that name, or mapping.ErrNotFound.
func (c *sessionCookies) session(r *http.Request, name string) (SignedIn, error) {
	s, err := c.New(r, name)
	if err != nil {
		return SignedIn{}, err
	}
	found, ok := s.Values[sessionKey].(SignedIn)
	if !ok {
		return SignedIn{}, mapping.ErrNotFound
	}
	return found, nil
}

// StartSession has a session written and sets its cookie: always with a new id, whatever cookie came (D2).
func (i *Identifier) StartSession(
	ex *exchange.Exchange, r *http.Request, session Session, write WriteSession,
) error {
	s := sessions.NewSession(i.cookies, ex.Site.Cookies.Session)
	s.Options = i.cookies.options()
	s.Values[sessionKey], s.Values[writeKey] = session, write
	return s.Save(r, ex)
}

// TakeCookieBack deletes the session cookie. It ends no session.
func (i *Identifier) TakeCookieBack(ex *exchange.Exchange) {
	http.SetCookie(ex, exchange.NewCookie(ex.Site.Cookies.Session, "", -1))
}

// Readable reports whether a session cookie has a valid signature and is not too old.
func (i *Identifier) Readable(site *exchange.Site, cookie string) bool {
	return i.signed(site.Cookies.Session, cookie)
}

func (i *Identifier) signed(name, cookie string) bool {
	var id string
	return i.cookies.codec.Decode(name, cookie, &id) == nil
}

// RandomID returns 256 random bits in base64url (D4).
func RandomID(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}
