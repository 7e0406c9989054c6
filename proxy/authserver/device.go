package authserver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
)

// userCodeLetters is the alphabet of user codes: no vowels, so that they make no words, and nothing that
// looks like another (RFC 8628 section 6.1). Eight of them are 2^34 codes.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
	maxTyped        = 4 * userCodeLength // greatest length of what is typed for one
)

// authorizeDevice is the device authorization endpoint (RFC 8628 section 3.1).
func (s *Server) authorizeDevice(c call) (any, error) {
	if !c.client.Device {
		return nil, oidc.ErrUnauthorizedClient().WithDescription("this client may not use the device grant")
	}
	scopes, err := scopesOf(c.form.get("scope"), s.scopes)
	if err != nil {
		return nil, err
	}
	site := siteKey(c.Address())
	if wait := s.bounds.devices.wait(s.now(), site); wait > 0 {
		return nil, &rateLimited{wait}
	}
	s.bounds.devices.take(s.now(), site)

	device, err := mapping.NewTokenValue(s.random, deviceValue)
	if err != nil {
		return nil, err
	}
	a := Authorization{
		Kind: KindDevice, Hash: sha256.Sum256([]byte(device)),
		Status: StatusPending, ExpiresAt: s.now().Add(deviceLifetime), Asked: Asked{
			Client: c.client.ID, Scopes: scopes, Address: c.Address(), At: s.now(), Interval: deviceInterval,
		},
	}
	if err := s.addDevice(c, &a); err != nil {
		return nil, err
	}
	page := s.origin + devicePath
	return &oidc.DeviceAuthorizationResponse{
		DeviceCode: device, UserCode: dashed(a.UserCode), VerificationURI: page,
		VerificationURIComplete: page + "?user_code=" + dashed(a.UserCode),
		ExpiresIn:               int(deviceLifetime / time.Second),
		Interval:                int(deviceInterval / time.Second),
	}, nil
}

// addDevice stores a device's authorization under a user code that is not taken.
func (s *Server) addDevice(c call, a *Authorization) (err error) {
	for range 5 {
		if a.UserCode, err = newUserCode(s.random); err != nil {
			return err
		}
		err = s.store.AddAuthorization(c.Request().Context(), *a, maxDevices)
		if !errors.Is(err, mapping.ErrConflict) {
			break
		}
	}
	if errors.Is(err, ErrTooMany) {
		return &rateLimited{deviceLifetime / 10}
	}
	return err
}

// newUserCode returns a random user code, uniformly distributed.
func newUserCode(random io.Reader) (string, error) {
	const fair = 256 - 256%len(userCodeLetters) // bytes from here on would favour the first letters
	var code []byte
	for len(code) < userCodeLength {
		var b [1]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("make a user code: %w", err)
		}
		if int(b[0]) < fair {
			code = append(code, userCodeLetters[int(b[0])%len(userCodeLetters)])
		}
	}
	return string(code), nil
}

// dashed returns a user code as it is shown.
func dashed(code string) string { return code[:userCodeLength/2] + "-" + code[userCodeLength/2:] }

// parseUserCode parses a user code as typed: in any case, with anything between the letters.
func parseUserCode(typed string) (code string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, typed)
	outside := func(r rune) bool { return !strings.ContainsRune(userCodeLetters, r) }
	return code, len(code) == userCodeLength && !strings.ContainsFunc(code, outside)
}

// pollLeeway is how much before its interval is over a poll may come: the network brings some faster than the
// one before.
const pollLeeway = time.Second

var (
	errNoDevice = invalidGrant("the device code is unknown, was used, or is another client's")
	errTooSoon  = oidc.ErrSlowDown().WithDescription("wait five seconds longer between two polls than before")
)

// poll is the token endpoint for the device grant (RFC 8628 sections 3.4 and 3.5).
func (s *Server) poll(c call) (any, error) {
	if c.form.get("device_code") == "" {
		return nil, invalid("device_code is missing")
	}
	hash, ok := mapping.ParseTokenValue(deviceValue, c.form.get("device_code"))
	if !ok {
		return nil, errNoDevice
	}
	if s.bounds.earlyPolls.wait(s.now(), string(hash[:])) > 0 {
		return nil, errTooSoon
	}
	return s.lookUp(c, hash, func() (any, error) { return s.notePoll(c, hash) })
}

// notePoll stores a poll, and issues the tokens of an approved authorization.
func (s *Server) notePoll(c call, hash [32]byte) (any, error) {
	var a Authorization // as it was
	var verdict error
	err := s.store.ChangeAuthorization(c.Request().Context(), hash, func(stored *Authorization) error {
		a = *stored
		verdict = stored.polled(s.now(), c.client)
		return nil
	})
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, &refusal{answer: errNoDevice, unknown: true}
	case err != nil:
		return nil, err
	case errors.Is(verdict, errTooSoon):
		s.bounds.earlyPolls.take(s.now(), string(hash[:])) // each is a write
		return nil, verdict
	case verdict != nil:
		return nil, verdict
	}
	return s.issue(c, a)
}

// polled updates an authorization for a poll and returns its error; nil says that the device gets its tokens,
// now and never again.
func (a *Authorization) polled(now time.Time, client Client) error {
	switch {
	case a.Kind != KindDevice || a.Asked.Client != client.ID || a.Status == StatusSpent:
		return &refusal{answer: errNoDevice}
	case a.Status == StatusDenied:
		return &refusal{answer: oidc.ErrAccessDenied().WithDescription("the person denied the request")}
	case !now.Before(a.ExpiresAt):
		return &refusal{answer: oidc.ErrExpiredDeviceCode().
			WithDescription("nobody has decided in time; ask for another code")}
	case a.Status == StatusApproved:
		a.Status = StatusSpent
		return nil
	}
	last := a.Asked.PolledAt
	a.Asked.PolledAt = now
	if !last.IsZero() && now.Sub(last) < a.Asked.Interval-pollLeeway {
		a.Asked.Interval += deviceInterval
		return errTooSoon
	}
	return oidc.ErrAuthorizationPending().WithDescription("nobody has decided yet")
}
