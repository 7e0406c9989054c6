package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pageLifetime is how long a sign-in page may be left open.
const pageLifetime = time.Hour

// authorization is one valid authorization request on its way through the sign-in page.
type authorization struct {
	params url.Values
	client Client
	// Okta: the authorization server; Entra: the segment of the authority (a tenant, organizations …)
	server  string
	version int // Entra: of the endpoint
	scopes  []string
	made    time.Time
	device  *device       // set when a device's code is being approved instead
	request *plainRequest // Plain: what the library knows it as
}

func (a *authorization) get(name string) string { return a.params.Get(name) }

func (a *authorization) has(name, word string) bool {
	return slices.Contains(strings.Fields(a.params.Get(name)), word)
}

// refusal is why a sign-in ends without a person.
type refusal int

const (
	refusedByPerson refusal = iota
	loginRequired
	mfaRequired
)

// authorizer is the part of signing in that differs between providers.
type authorizer interface {
	// candidates are the people whom the page offers.
	candidates(*authorization) []Person
	// grantTo ends the sign-in well, or refuses the person.
	grantTo(http.ResponseWriter, *http.Request, *authorization, Person, *session)
	// refuse ends the sign-in without a person.
	refuse(http.ResponseWriter, *http.Request, *authorization, refusal)
	// stranger answers for somebody who may not sign in here, or does not exist.
	stranger(w http.ResponseWriter, r *http.Request, a *authorization, who string)
}

// signIn decides how a valid authorization request goes on: silently by the browser's session, at once by
// demo_auto, or by the page.
func (d *Double) signIn(w http.ResponseWriter, r *http.Request, a *authorization, at authorizer) {
	s := d.session(r)
	silent := a.has("prompt", "none")
	if s != nil && d.fresh(s, a) && !d.mustAsk(a) {
		if p, ok := d.Person(s.person); ok && offered(at, a, p) &&
			(a.get("login_hint") == "" || p.is(a.get("login_hint")) || silent) {
			if p.MFARequired && silent {
				at.refuse(w, r, a, mfaRequired)
				return
			}
			at.grantTo(w, r, a, p, s)
			return
		}
	}
	switch {
	case silent:
		at.refuse(w, r, a, loginRequired)
	case d.autoSignIn && a.get("demo_auto") == "1" && a.get("login_hint") != "":
		d.arrive(w, r, a, at, a.get("login_hint"))
	default:
		d.showSignIn(w, a, at)
	}
}

// mustAsk says whether the request wants the page even from somebody who is signed in.
func (d *Double) mustAsk(a *authorization) bool {
	return a.has("prompt", "login") || a.has("prompt", "select_account")
}

// fresh compares the session with max_age, in seconds.
func (d *Double) fresh(s *session, a *authorization) bool {
	if a.get("max_age") == "" {
		return true
	}
	maxAge, err := strconv.ParseInt(a.get("max_age"), 10, 32)
	return err == nil && d.now().Sub(s.authTime) < time.Duration(maxAge)*time.Second
}

func offered(at authorizer, a *authorization, p Person) bool {
	return slices.ContainsFunc(at.candidates(a), func(q Person) bool { return q.ID == p.ID })
}

// choose is the button of the sign-in page: person holds an id, or refuse is set.
func (d *Double) choose(w http.ResponseWriter, r *http.Request, at authorizer) {
	form, err := readForm(r)
	if err != nil {
		d.showProblem(w, http.StatusBadRequest, "The form could not be read.", err.Error())
		return
	}
	a, ok := d.ledger.pending.Get(form.Get("request"))
	if !ok || d.now().Sub(a.made) > pageLifetime {
		d.showProblem(w, http.StatusBadRequest, "This sign-in page is out of date.",
			"Go back to the application and start again.")
		return
	}
	d.ledger.pending.Remove(form.Get("request"))
	if form.Get("refuse") != "" {
		at.refuse(w, r, a, refusedByPerson)
		return
	}
	d.arrive(w, r, a, at, form.Get("person"))
}

// arrive signs in somebody named by id, login or email among those whom the provider offers here.
func (d *Double) arrive(w http.ResponseWriter, r *http.Request, a *authorization, at authorizer, who string) {
	people := at.candidates(a)
	i := slices.IndexFunc(people, func(p Person) bool { return p.ID == who })
	if i < 0 {
		i = slices.IndexFunc(people, func(p Person) bool { return p.is(who) })
	}
	if i < 0 {
		at.stranger(w, r, a, who)
		return
	}
	at.grantTo(w, r, a, people[i], d.openSession(w, people[i]))
}
