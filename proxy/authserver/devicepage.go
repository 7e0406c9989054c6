package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
	"vexa-sso/proxy"
	"vexa-sso/proxy/page"
)

// devicePage is the verification URI (RFC 8628 section 3.3): a person enters the user code of their device
// and says whether it may act for them. GET changes nothing; POST has a user code, or the answer to the
// question that the code led to.
func (s *Server) devicePage(v *proxy.Visit) error {
	if err := allowMethods(v, http.MethodGet, http.MethodPost); err != nil {
		return err
	}
	if v.Request().Method == http.MethodGet {
		if _, err := v.FreshlySignedIn(); err != nil {
			return err
		}
		s.showDevice(v, v.Request().URL.Query().Get("user_code"), "")
		return nil
	}
	person, form, err := readDecision(v)
	switch {
	case err != nil:
		return err
	case form.Has("ticket"):
		return s.decideDevice(v, person, form)
	case !v.Fresh(person):
		return s.signInAgain(v, deviceLocation(form.Get("user_code")))
	}
	return s.findDevice(v, person, form.Get("user_code"))
}

// deviceLocation returns the path of the page with a user code filled in, if it is one.
func deviceLocation(typed string) string {
	if code, ok := parseUserCode(typed); ok {
		return devicePath + "?user_code=" + dashed(code)
	}
	return devicePath
}

// showDevice shows the form for the user code. A code from the address is filled in, for the person to
// compare.
func (s *Server) showDevice(v *proxy.Visit, typed, problem string) {
	if code, ok := parseUserCode(typed); ok {
		typed = dashed(code)
	} else if problem == "" || len(typed) > maxTyped {
		typed = ""
	}
	v.Pages().Device(v.Writer(), v.Request(),
		page.Device{Code: typed, Problem: problem, Action: devicePath, Posts: true})
}

// findDevice shows the question about the device with that user code. Codes are short, so wrong ones are
// limited (RFC 8628 section 5.1).
func (s *Server) findDevice(v *proxy.Visit, person proxy.Person, typed string) error {
	guesser := []string{"session " + person.SessionID, "account " + person.Account.ID}
	if s.bounds.wrongUserCodes.wait(s.now(), guesser...) > 0 {
		return proxy.Refuse("rate_limited",
			"Too many codes were wrong. Wait a few minutes, then ask the program for a new one.")
	}
	code, ok := parseUserCode(typed)
	if !ok {
		s.showDevice(v, typed, "That is not a code that a program shows. It has eight consonants and no "+
			"digits; compare them one by one.")
		return nil
	}
	a, err := s.store.AuthorizationByUserCode(v.Request().Context(), code)
	if errors.Is(err, mapping.ErrNotFound) || err == nil && !a.waits(s.now()) {
		s.bounds.wrongUserCodes.take(s.now(), guesser...)
		s.showDevice(v, typed,
			"No program waits with that code. It may have expired: ask the program for a new one.")
		return nil
	}
	if err != nil {
		return err
	}
	return s.askDevice(v, person, a)
}

// waits reports whether a device authorization is open.
func (a Authorization) waits(now time.Time) bool {
	return a.Kind == KindDevice && a.Status == StatusPending && now.Before(a.ExpiresAt)
}

// askDevice shows the question, with all that tells somebody else's device from one's own.
func (s *Server) askDevice(v *proxy.Visit, person proxy.Person, a Authorization) error {
	t := ticket{
		Kind: KindDevice, Device: a.Hash[:], UserCode: a.UserCode,
		Client: a.Asked.Client, Expires: a.ExpiresAt,
	}
	client, err := s.stillRegistered(v, t)
	if err != nil {
		return err
	}
	var refused *oidc.Error
	if t.Scopes, refused = grantable(person, a.Asked.Scopes); refused != nil {
		s.showDevice(v, a.UserCode, "You have none of what "+client.Name+" asks for.")
		return nil
	}
	sealed, err := s.seal(t, person)
	if err != nil {
		return err
	}
	v.Pages().DeviceConfirm(v.Writer(), v.Request(), page.DeviceConfirm{
		Code: dashed(a.UserCode), Tool: client.Name, Client: client.ID,
		Address: a.Asked.Address, Asked: a.Asked.At,
		Person: nameOf(person), Provider: s.titleOf(person),
		Scopes: scopeLines(t.Scopes), Lifetime: s.lifetime,
		Fields: []page.Field{{Name: "ticket", Value: sealed}}, Action: devicePath,
	})
	return nil
}

// decideDevice handles the answer. The first one counts: whatever was decided before stays.
func (s *Server) decideDevice(v *proxy.Visit, person proxy.Person, form url.Values) error {
	t, err := s.open(form.Get("ticket"), KindDevice, person)
	if err != nil {
		return err
	}
	agreed, err := decisionOf(form)
	if err != nil {
		return err
	}
	if agreed && !v.Fresh(person) {
		return s.signInAgain(v, deviceLocation(t.UserCode))
	}
	client, err := s.stillRegistered(v, t)
	if err != nil {
		return err
	}
	decided := false
	err = s.store.ChangeAuthorization(v.Request().Context(), [32]byte(t.Device),
		func(stored *Authorization) error {
			if decided = stored.waits(s.now()); !decided {
				return nil
			}
			stored.Status, stored.AccountID, stored.Asked.Scopes = StatusDenied, person.Account.ID, t.Scopes
			stored.Asked.DecidedBy = person.SessionID
			if agreed {
				stored.Status = StatusApproved
			}
			return nil
		})
	if err != nil && !errors.Is(err, mapping.ErrNotFound) {
		return err
	}
	if !decided {
		return proxy.Refuse("consent_invalid", "The program does not wait for an answer any more.")
	}
	recordDecision(v, person, t, agreed)
	v.Pages().DeviceDone(v.Writer(), v.Request(), page.DeviceDone{Tool: client.Name, Allowed: agreed})
	return nil
}
