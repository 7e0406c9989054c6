package proxy

import (
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
	"vexa-sso/proxy/upstream"
)

// Visit is one request to a handler that was registered with [Proxy.Handle].
type Visit struct {
	p      *Proxy
	ex     *exchange.Exchange
	r      *http.Request
	caller *caller.Caller // after Caller or SignedIn
	form   *upstream.Form // then too: a request with a body is under way for them
}

// Person is somebody who is signed in with their browser.
type Person struct {
	Account   mapping.Account
	Decision  rule.Decision // of the rules now in force; allowing
	SessionID string

	// AuthTime is when they last proved to their provider who they are (auth_time), by our clock; zero when
	// that is not known.
	AuthTime time.Time
}

// Handle registers a page or endpoint of ours. The pattern is one of net/http.ServeMux, with a path under
// /sso/ or /.well-known/. An error of h becomes the response, so h must not have written to it. Handle must
// be called before the first request is served.
func (p *Proxy) Handle(pattern string, h func(*Visit) error) {
	p.handleFunc(pattern, func(ex *exchange.Exchange, r *http.Request) (err error) {
		v := &Visit{p: p, ex: ex, r: r}
		defer func() {
			if v.form != nil {
				err = p.streams.LeaveForm(v.form, err)
			}
		}()
		return h(v)
	})
}

// Writer returns the response writer.
func (v *Visit) Writer() http.ResponseWriter { return v.ex }

// Request returns the request. Its body has a deadline of seconds, and no other bound.
func (v *Visit) Request() *http.Request { return v.r }

// TraceID returns the id of the request in the log and in every error response.
func (v *Visit) TraceID() string { return v.ex.TraceID }

// Address returns the client's IP address.
func (v *Visit) Address() string { return v.ex.Address }

// Now returns the current time.
func (v *Visit) Now() time.Time { return v.p.edge.Now() }

// Pages returns the pages.
func (v *Visit) Pages() *page.Pages { return v.p.edge.Pages }

// Redirect answers 303: the browser goes on with a GET.
func (v *Visit) Redirect(location string) { exchange.Redirect(v.ex, location) }

// WriteJSON answers with JSON that is not cached (RFC 6749 section 5.1).
func (v *Visit) WriteJSON(status int, body any) {
	v.ex.Header().Set("Pragma", "no-cache") // for caches of HTTP/1.0
	exchange.WriteJSON(v.ex, status, body)
}

// Record writes an audit event, with the request's address and trace id.
func (v *Visit) Record(e mapping.Event) { v.p.edge.Record(v.ex, v.r, e) }

// SignedIn returns the person who is signed in by the session cookie and may use Vexa. When the handler
// returns its error, a person who opens the page is redirected to sign in and back here; everybody else gets
// 401. A program's credential is no sign-in.
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

// Caller is who sends a request, whatever their credential.
type Caller struct {
	Account      mapping.Account
	Decision     rule.Decision // of the rules now in force; not necessarily allowing
	Credential   string        // BySession, ByToken …
	CredentialID string        // of a session or a token of ours
}

// MayUse returns the refusal of a caller who may not use Vexa at all, or nil.
func (c Caller) MayUse() error { return caller.MayUse(c.Account, c.Decision) }

// Caller returns who sends the request, with whatever credential.
func (v *Visit) Caller() (Caller, error) {
	since := v.p.callers.Changes()
	c, err := v.p.callers.Identify(v.ex, v.r)
	if err != nil {
		return Caller{}, err
	}
	if v.form == nil {
		v.form, err = v.p.streams.RegisterForm(v.ex, v.r, c, v.p.callers, since)
		if err != nil {
			return Caller{}, err
		}
	}
	v.caller = c
	return Caller{c.Account, v.p.callers.View(v.ex, c).Decision, c.Credential, c.CredentialID}, nil
}

// freshFor is the greatest age of a sign-in for what only the person themselves may do (S7).
const freshFor = 5 * time.Minute

// FreshlySignedIn is SignedIn for what only the person themselves may do, whoever else may sit at their
// browser by now: the sign-in must be less than five minutes old (S7). When the handler returns its error, a
// person who opens the page is sent to their provider to authenticate again.
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

// Fresh reports whether a person's sign-in is less than five minutes old.
func (v *Visit) Fresh(person Person) bool { return v.Now().Sub(person.AuthTime) < freshFor }

// SameOrigin returns the refusal of a request that does not show that a page of this site sent it (CSRF),
// whatever its method. It is for handlers that change something by the cookie's authority (S7).
func (v *Visit) SameOrigin() error { return v.ex.Site.CheckOrigin(v.r) }

// Navigates reports whether a browser is opening a page, as opposed to a program that asks for data.
func (v *Visit) Navigates() bool { return exchange.IsNavigation(v.r) }

// Origin returns our origin, scheme://host.
func (v *Visit) Origin() string { return v.ex.Site.Origin }

// SignInAgain answers a form with a page that leads to a fresh sign-in and back to returnTo. Browsers would
// hold a redirect to the form-action of the page that the form is on.
func (v *Visit) SignInAgain(returnTo, where string) error {
	v.ex.Code = "login_required"
	return v.Continue(exchange.LoginPath(returnTo, true), where)
}

// Continue answers a form with a page that leads on to an address, which people call where. Browsers would
// hold a redirect to the form-action of the page that the form is on.
func (v *Visit) Continue(location, where string) error {
	if err := v.Pages().Continue(v.ex, v.r, page.Continue{To: location, Where: where}); err != nil {
		return exchange.Fail("internal_error", err)
	}
	return nil
}

// LatestUse sets the last use of tokens to what this replica knows and has not written yet.
func (v *Visit) LatestUse(tokens []mapping.Token) { v.p.callers.LatestUse(tokens) }

// MayRequest reports whether a grant's deny_routes and these scopes within it allow a request.
func (v *Visit) MayRequest(g rule.Grant, scopes rule.Scopes, method, path string) bool {
	route, known := v.p.hosts[0].passer.Routes().Lookup(method, path)
	return known && caller.Covers(scopes, route) && !caller.DeniesRoute(g.DenyRoutes, method, path)
}

// RandomID returns 256 random bits in base64url.
func (v *Visit) RandomID() (string, error) { return caller.RandomID(v.p.edge.Random) }
