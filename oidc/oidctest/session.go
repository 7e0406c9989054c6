package oidctest

import (
	"net/http"
	"slices"
	"time"
)

// session is a browser that is signed in at the double.
type session struct {
	cookie     string
	person     string // id
	generation int
	authTime   time.Time
	sid        string
	clients    []string // whom the person reached with it; ledger.mu guards it
}

// session finds the browser's session, nil when there is none or its person was since revoked.
func (d *Double) session(r *http.Request) *session {
	cookie, err := r.Cookie(d.page.cookie)
	if err != nil {
		return nil
	}
	s, ok := d.ledger.sessions.Get(cookie.Value)
	if !ok {
		return nil
	}
	p, ok := d.Person(s.person)
	if !ok || p.ID != s.person || p.generation != s.generation {
		return nil
	}
	return s
}

// openSession signs the browser in, over whoever was signed in before.
func (d *Double) openSession(w http.ResponseWriter, p Person) *session {
	s := &session{
		cookie: d.random.token(32), person: p.ID, generation: p.generation, authTime: d.now(),
		sid: d.page.newSID(d.random),
	}
	d.ledger.sessions.Add(s.cookie, s)
	d.setCookie(w, s.cookie, 0)
	return s
}

// closeSession signs the browser out.
func (d *Double) closeSession(w http.ResponseWriter, s *session) {
	d.ledger.sessions.Remove(s.cookie)
	d.setCookie(w, "", -1)
}

func (d *Double) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name:     d.page.cookie,
		Value:    value,
		Path:     d.base.Path + "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		Secure:   d.base.Scheme == "https",
		SameSite: http.SameSiteLaxMode,
	})
}

// reached notes that the session signed its person in to a client; signing out tells those clients.
func (d *Double) reached(s *session, client string) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	if !slices.Contains(s.clients, client) {
		s.clients = append(s.clients, client)
	}
}

func (d *Double) clientsOf(s *session) []string {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	return slices.Clone(s.clients)
}
