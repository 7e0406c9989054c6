package authserver

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
)

// maxAnswer is the greatest length of the consent form, a ticket and a decision, in bytes.
const maxAnswer = 32 << 10

// consent handles the form of the consent page.
func (s *Server) consent(v *proxy.Visit) error {
	if err := allowMethods(v, http.MethodPost); err != nil {
		return err
	}
	person, form, err := readDecision(v)
	if err != nil {
		return err
	}
	t, err := s.open(form.Get("ticket"), KindCode, person)
	if err != nil {
		return err
	}
	agreed, err := decisionOf(form)
	if err != nil {
		return err
	}
	client, err := s.stillRegistered(v, t)
	if err != nil {
		return err
	}
	req := authRequest{
		client: client, redirectURI: t.RedirectURI, state: t.State, scopes: t.Scopes, challenge: t.Challenge,
	}
	if agreed && !v.Fresh(person) {
		return s.signInAgain(v, req.location())
	}
	if err := s.storeDecision(v, t, person, agreed); err != nil {
		return err
	}
	location := req.responseURL(s.issuer, url.Values{"code": {t.Code}})
	if !agreed {
		location = req.errorURL(s.issuer,
			&oidc.Error{ErrorType: oidc.AccessDenied, Description: "the person denied the request"})
	}
	return v.Continue(location, client.Name)
}

// readDecision checks the origin and the session of a form with a decision, and parses it. To say no, being
// signed in is enough; to say yes, the sign-in must be fresh, which callers check (S7).
func readDecision(v *proxy.Visit) (proxy.Person, url.Values, error) {
	if err := v.SameOrigin(); err != nil {
		return proxy.Person{}, nil, err
	}
	person, err := v.SignedIn()
	if err != nil {
		return proxy.Person{}, nil, err
	}
	r := v.Request()
	r.Body = http.MaxBytesReader(v.Writer(), r.Body, maxAnswer)
	if err := r.ParseForm(); err != nil {
		return proxy.Person{}, nil, proxy.Refuse("bad_request", "")
	}
	return person, r.PostForm, nil
}

// stillRegistered returns the client that a person was asked about.
func (s *Server) stillRegistered(v *proxy.Visit, t ticket) (Client, error) {
	client, err := s.clients.Client(v.Request().Context(), t.Client)
	if errors.Is(err, ErrUnknownClient) {
		err = proxy.Refuse("tool_request_invalid", "The program is not registered any more.")
	}
	return client, err
}

// signInAgain sends somebody whose sign-in is no longer fresh back to the question, which has them sign in
// again first.
func (s *Server) signInAgain(v *proxy.Visit, path string) error {
	return v.Continue(s.origin+path, "sign in again")
}

func decisionOf(form url.Values) (agreed bool, err error) {
	switch form.Get("decision") {
	case "allow":
		return true, nil
	case "deny":
		return false, nil
	}
	return false, proxy.Refuse("bad_request", "The form does not say what you decided.")
}

// storeDecision stores a person's decision about an authorization code. Its hash is stored at most once,
// which makes the ticket single-use.
func (s *Server) storeDecision(v *proxy.Visit, t ticket, person proxy.Person, agreed bool) error {
	if s.bounds.answers.wait(s.now(), person.Account.ID) > 0 {
		return proxy.Refuse("rate_limited", "")
	}
	s.bounds.answers.take(s.now(), person.Account.ID)
	a := Authorization{
		Kind: KindCode, Hash: sha256.Sum256([]byte(t.Code)), AccountID: person.Account.ID,
		Status: StatusDenied, ExpiresAt: t.Expires, Asked: Asked{
			Client: t.Client, Scopes: t.Scopes, RedirectURI: t.RedirectURI, Challenge: t.Challenge,
			Address: v.Address(), At: s.now(), DecidedBy: person.SessionID,
		},
	}
	if agreed {
		a.Status, a.ExpiresAt = StatusApproved, s.now().Add(codeLifetime)
	}
	err := s.store.AddAuthorization(v.Request().Context(), a, maxCodes)
	switch {
	case errors.Is(err, mapping.ErrConflict):
		return proxy.Refuse("consent_invalid", "You have answered this already.")
	case errors.Is(err, ErrTooMany):
		return proxy.Refuse("rate_limited", "")
	case err != nil:
		return err
	}
	recordDecision(v, person, t, agreed)
	return nil
}

func recordDecision(v *proxy.Visit, person proxy.Person, t ticket, agreed bool) {
	e := mapping.Event{Event: mapping.EventToolDenied, Reason: t.Client}
	if agreed {
		e.Event, e.Reason = mapping.EventToolAuthorized,
			t.Client+": scopes "+string(rule.NewScopes(t.Scopes...))
	}
	e.Actor, e.Account, e.Provider, e.CredentialID = person.Account.ID, person.Account.ID,
		person.Account.Provider, person.SessionID
	v.Record(e)
}
