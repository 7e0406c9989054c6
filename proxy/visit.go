package proxy

import (
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

// Visit is one request to a page or endpoint that was put under the bridge's own address with [Proxy.Handle].
type Visit struct {
	p      *Proxy
	ex     *exchange.Exchange
	r      *http.Request
	caller *caller.Caller // once somebody asked who it is
}

// Person is somebody who is signed in with their browser.
type Person struct {
	Account   mapping.Account
	Decision  rule.Decision // of the rules now in force; allowing
	SessionID string

	// AuthTime is when they last proved to their provider who they are, by our clock;
	// zero when that is not known.
	AuthTime time.Time
}

// Handle puts a page or endpoint under our own address. The pattern is one of net/http.ServeMux, with a path
// under /sso/ or /.well-known/. What h returns as an error becomes the answer; then it must not have written
// any. All handlers are put there before the first request is served.
func (p *Proxy) Handle(pattern string, h func(*Visit) error) {
	p.handleFunc(pattern, func(ex *exchange.Exchange, r *http.Request) error {
		return h(&Visit{p: p, ex: ex, r: r})
	})
}

// Writer is where the answer goes.
func (v *Visit) Writer() http.ResponseWriter { return v.ex }

// Request is the request. Its body has to arrive soon and is not bounded otherwise.
func (v *Visit) Request() *http.Request { return v.r }

// TraceID names the request in the log and in every answer that is an error.
func (v *Visit) TraceID() string { return v.ex.TraceID }

// Address is the client's.
func (v *Visit) Address() string { return v.ex.Address }

// Now is what time it is.
func (v *Visit) Now() time.Time { return v.p.edge.Now() }

// Pages renders pages.
func (v *Visit) Pages() *page.Pages { return v.p.edge.Pages }

// Redirect sends a browser on with a GET.
func (v *Visit) Redirect(location string) { exchange.Redirect(v.ex, location) }

// WriteJSON answers with JSON that nobody keeps (RFC 6749 section 5.1).
func (v *Visit) WriteJSON(status int, body any) {
	v.ex.Header().Set("Pragma", "no-cache") // for caches of HTTP/1.0
	exchange.WriteJSON(v.ex, status, body)
}

// Record writes an audit event with where it came from.
func (v *Visit) Record(e mapping.Event) { v.p.edge.Record(v.ex, v.r, e) }

// SignedIn returns who is signed in by the browser's cookie and may use Vexa. The error, returned by the
// handler, sends a person who opens the page to sign in and back here; everybody else is told to sign in.
// What a program shows is no sign-in.
func (v *Visit) SignedIn() (Person, error) {
	c, err := v.Caller()
	if err != nil {
		return Person{}, err
	}
	if c.Credential != caller.BySession {
		return Person{}, exchange.Refuse("unauthenticated",
			"This is for a person who is signed in with a browser, and not for a token.")
	}
	if err := caller.MayUse(c.Account, c.Decision); err != nil {
		return Person{}, err
	}
	return Person{
		Account: c.Account, Decision: c.Decision, SessionID: c.CredentialID,
		AuthTime: v.caller.Session.AuthTime,
	}, nil
}

// Caller is who asks, by cookie or by what a program shows.
type Caller struct {
	Account      mapping.Account
	Decision     rule.Decision // of the rules now in force; not necessarily allowing
	Credential   string        // BySession, ByToken …
	CredentialID string        // of a session or a token of ours
}

// MayUse refuses who may not use Vexa at all.
func (c Caller) MayUse() error { return caller.MayUse(c.Account, c.Decision) }

// Caller is whoever asks, with whatever credential.
func (v *Visit) Caller() (Caller, error) {
	c, err := v.p.callers.Identify(v.ex, v.r)
	if err != nil {
		return Caller{}, err
	}
	v.caller = c
	return Caller{c.Account, v.p.callers.View(v.ex, c).Decision, c.Credential, c.CredentialID}, nil
}

// freshFor is how long a sign-in is good for what only the person themselves may do (S7).
const freshFor = 5 * time.Minute

// FreshlySignedIn is SignedIn for what only the person themselves may do, whoever else may sit at their
// browser by now: their sign-in must be less than five minutes old (S7). The error sends a person who opens
// the page to prove themselves to their provider again.
func (v *Visit) FreshlySignedIn() (Person, error) {
	person, err := v.SignedIn()
	if err != nil {
		return Person{}, err
	}
	if !v.Fresh(person) {
		return Person{}, &exchange.Problem{Code: "login_required", Detail: "This needs a sign-in that is " +
			"less than five minutes old.", Afresh: true}
	}
	return person, nil
}

// StillSignedIn looks afresh whether whoever SignedIn has returned is signed in and may use Vexa, whatever
// this replica remembers. Asked after something was written in their name that lasts, it lets nothing slip in
// between a revocation and our hearing of it (S5).
func (v *Visit) StillSignedIn() error {
	_, err := v.p.callers.Again(v.r.Context(), v.caller)
	if errors.Is(err, mapping.ErrNotFound) {
		return exchange.Refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	}
	return err
}

// Fresh reports whether a person's sign-in is less than five minutes old.
func (v *Visit) Fresh(person Person) bool { return v.Now().Sub(person.AuthTime) < freshFor }

// SameOrigin refuses a request that another origin could have made the browser send. It is for whatever
// changes something in the name of the cookie, whatever the method (S7).
func (v *Visit) SameOrigin() error { return v.ex.Site.CheckOrigin(v.r) }

// Navigates reports whether a person's browser is opening a page, as opposed to a program that asks for data.
func (v *Visit) Navigates() bool { return exchange.IsNavigation(v.r) }

// Origin is where we are, scheme://host.
func (v *Visit) Origin() string { return v.ex.Site.Origin }

// SignInAgain answers a form with a page that leads to sign in afresh and back to returnTo. A redirect would
// be held to the form-action of the page that the form is on.
func (v *Visit) SignInAgain(returnTo, where string) {
	v.ex.Code = "login_required"
	v.Pages().Continue(v.ex, v.r, page.Continue{To: exchange.LoginPath(returnTo, true), Where: where})
}

// LatestUse puts into tokens what is not written yet of when they were used.
func (v *Visit) LatestUse(tokens []mapping.Token) { v.p.callers.LatestUse(tokens) }

// MayRequest reports whether scopes within a grant cover a request.
func (v *Visit) MayRequest(g rule.Grant, scopes rule.Scopes, method, path string) bool {
	route, known := v.p.hosts[0].passer.Routes().Lookup(method, path)
	return known && caller.Covers(scopes, route) && !caller.DeniesRoute(g.DenyRoutes, method, path)
}

// RandomID is 256 random bits in base64url.
func (v *Visit) RandomID() (string, error) { return caller.RandomID(v.p.edge.Random) }
