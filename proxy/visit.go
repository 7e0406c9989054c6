package proxy

import (
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/page"
)

// Visit is one request to a page or endpoint that was put under the bridge's own address with [Proxy.Handle].
type Visit struct {
	p  *Proxy
	ex *exchange
	r  *http.Request
}

// Person is somebody who is signed in with their browser.
type Person struct {
	Account   mapping.Account
	Decision  rule.Decision // of the rules now in force; allowing
	SessionID string

	// AuthTime is when they last proved to their provider who they are, by our clock; zero when that is not known.
	AuthTime time.Time
}

// Handle puts a page or endpoint under our own address. The pattern is one of net/http.ServeMux, with a path under /sso/ or
// /.well-known/. What h returns as an error becomes the answer; then it must not have written any. All handlers are put there before
// the first request is served.
func (p *Proxy) Handle(pattern string, h func(*Visit) error) {
	p.put(pattern, func(ex *exchange, r *http.Request) error { return h(&Visit{p, ex, r}) })
}

// Writer is where the answer goes.
func (v *Visit) Writer() http.ResponseWriter { return v.ex }

// Request is the request. Its body has to arrive soon and is not bounded otherwise.
func (v *Visit) Request() *http.Request { return v.r }

// TraceID names the request in the log and in every answer that is an error.
func (v *Visit) TraceID() string { return v.ex.traceID }

// Address is the client's.
func (v *Visit) Address() string { return v.ex.address }

// Now is what time it is.
func (v *Visit) Now() time.Time { return v.p.now() }

// Pages renders pages.
func (v *Visit) Pages() *page.Pages { return v.p.pages }

// Redirect sends a browser on with a GET.
func (v *Visit) Redirect(location string) { redirect(v.ex, location) }

// WriteJSON answers with JSON that nobody keeps (RFC 6749 section 5.1).
func (v *Visit) WriteJSON(status int, body any) {
	v.ex.Header().Set("Pragma", "no-cache") // for caches of HTTP/1.0
	writeJSON(v.ex, status, body)
}

// Record writes an audit event with where it came from.
func (v *Visit) Record(e mapping.Event) { v.p.record(v.ex, v.r, e) }

// SignedIn returns who is signed in by the browser's cookie and may use Vexa. The error, returned by the handler, sends a person who
// opens the page to sign in and back here; everybody else is told to sign in. What a program shows is no sign-in.
func (v *Visit) SignedIn() (Person, error) {
	c, err := v.p.identify(v.ex, v.r)
	if err != nil {
		return Person{}, err
	}
	if c.credential != bySession {
		return Person{}, refuse("unauthenticated", "This is for a person who is signed in with a browser, and not for a token.")
	}
	d := v.p.see(c).decision
	if err := mayUse(c.account, d); err != nil {
		return Person{}, err
	}
	return Person{Account: c.account, Decision: d, SessionID: c.credentialID, AuthTime: c.session.AuthTime}, nil
}

// freshFor is how long a sign-in is good for what only the person themselves may do (S7).
const freshFor = 5 * time.Minute

// FreshlySignedIn is SignedIn for what only the person themselves may do, whoever else may sit at their browser by now: their sign-in
// must be less than five minutes old (S7). The error sends a person who opens the page to prove themselves to their provider again.
func (v *Visit) FreshlySignedIn() (Person, error) {
	person, err := v.SignedIn()
	if err != nil {
		return Person{}, err
	}
	if !v.Fresh(person) {
		return Person{}, &problem{Code: "login_required", Detail: "This needs a sign-in that is less than five minutes old.", Afresh: true}
	}
	return person, nil
}

// StillSignedIn looks afresh whether whoever SignedIn has returned is signed in and may use Vexa, whatever this replica remembers. Asked
// after something was written in their name that lasts, it lets nothing slip in between a revocation and our hearing of it (S5).
func (v *Visit) StillSignedIn() error {
	_, err := v.p.again(v.r.Context(), v.ex.caller)
	if errors.Is(err, mapping.ErrNotFound) {
		return refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	}
	return err
}

// Fresh says whether a person's sign-in is less than five minutes old.
func (v *Visit) Fresh(person Person) bool { return v.Now().Sub(person.AuthTime) < freshFor }

// SameSite refuses a request that another site could have made the browser send. It is for whatever changes something in the name
// of the cookie, whatever the method (S7).
func (v *Visit) SameSite() error { return v.p.checkOrigin(v.r) }

// Refuse is a refusal by its code, in words; the code's own sentence when detail is empty.
func Refuse(code Code, detail string) error { return refuse(code, detail) }
