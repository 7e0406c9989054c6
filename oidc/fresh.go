package oidc

import (
	"errors"
	"fmt"
	"time"
)

// When did the person sign in at the provider? What we ask for (prompt, max_age) travels in an address that
// whoever sits at the browser can change; what the signed ID token answers does not.

const (
	sayAuthTime = "Your identity provider does not say when you signed in, so it cannot be told that it was " +
		"just now. Ask your administrator."
	remedyAuthTime = "Have the provider put auth_time into ID tokens. Entra ID: App registrations, Token " +
		"configuration, Add optional claim, ID, auth_time. Many of these from one person may be an attack."
)

// CheckFresh returns an *Error where a sign-in that was asked for with a prompt at a time did not happen
// since, by auth_time; at most late before it, since clocks differ.
func (p *Provider) CheckFresh(s *SignIn, asked time.Time, late time.Duration) error {
	switch {
	case s.AuthTime.IsZero() && p.TrustsPrompt(),
		!s.AuthTime.IsZero() && !s.AuthTime.Before(asked.Add(-late)):
		return nil
	case s.AuthTime.IsZero():
		return &Error{
			Code: CodeLoginRequired, Message: sayAuthTime, Remedy: remedyAuthTime,
			Err: errors.New("a fresh sign-in was asked for, and the ID token has no auth_time"),
		}
	}
	return &Error{
		Code:    CodeLoginRequired,
		Message: "Your identity provider did not ask you to prove again that it is you.",
		Remedy:  "Check that the provider obeys prompt=login and max_age=0.",
		Err:     errors.New("the sign-in is not as fresh as was asked for"),
	}
}

// checkSignedInSince holds the provider to the max_age that was asked for (section 3.1.2.1), by auth_time,
// which it must then tell (section 2). That it does not may mean that the person took max_age out of the
// address. Entra tells it only where it is configured as an optional claim.
func (p *Provider) checkSignedInSince(c claims, since time.Time) *Error {
	signedIn := c.instant("auth_time")
	switch {
	case since.IsZero(), !signedIn.IsZero() && !signedIn.Before(since.Add(-maxSkew)):
		return nil
	case signedIn.IsZero() && p.TrustsPrompt():
		return nil
	case signedIn.IsZero():
		return &Error{
			Code: CodeLoginRequired, Message: sayAuthTime, Remedy: remedyAuthTime,
			Err: errors.New("max_age was asked for, and the ID token has no auth_time"),
		}
	}
	return &Error{
		Code: CodeLoginRequired, Message: sayAgain,
		Remedy: "Nothing: the provider did not ask the person to sign in again, as max_age requires.",
		Err: fmt.Errorf("the person signed in at %s, and since %s was asked for",
			signedIn.UTC().Format(time.RFC3339), since.UTC().Format(time.RFC3339)),
	}
}
