package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// logoutEvent is the member of events that makes a token a logout token (OpenID Connect Back-Channel
	// Logout 1.0, section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutToken bounds a logout token, in bytes; it carries nothing about the person but their name.
	maxLogoutToken = 16 << 10
	// maxLogoutLife bounds how long a logout token may be good, and so how long its jti has to be remembered.
	maxLogoutLife = 24 * time.Hour
)

// LogoutToken is a verified logout token: the provider says that a person, or one session of theirs, has
// ended.
type LogoutToken struct {
	Subject   string    // canonical; "" if only a session is named
	SID       string    // "" if the person is meant, with all their sessions
	JTI       string    // names this token; one that was seen before is a replay
	ExpiresAt time.Time // until when JTI has to be remembered
}

// VerifyLogoutToken verifies a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6), except for
// step 8: the caller has to remember each JTI until ExpiresAt and refuse one that it has seen before. Every
// error is an *Error; CodeProviderUnavailable means that the provider's keys could not be read, everything
// else that the token does not hold.
func (p *Provider) VerifyLogoutToken(ctx context.Context, token string) (LogoutToken, error) {
	verified, err := p.verifyLogoutToken(ctx, token)
	if err != nil {
		return LogoutToken{}, err
	}
	return verified, nil
}

func (p *Provider) verifyLogoutToken(ctx context.Context, raw string) (LogoutToken, *Error) {
	const remedy = "Many of these may be an attack; one kind from the provider itself is its mistake: " +
		"see the cause."
	if len(raw) > maxLogoutToken || strings.Count(raw, ".") != 2 {
		return LogoutToken{}, invalid(remedy,
			errors.New("the logout token is not a signed token of at most 16 KiB"))
	}
	doc, err := p.discovery.get(ctx)
	if err != nil {
		return LogoutToken{}, unreachable("reading the discovery document", err)
	}
	signed := p.signedBy(doc, "logout+jwt", "JWT")
	token, err := p.verifier(doc, signed).VerifyLogout(ctx, raw)
	if signed.err != nil {
		return LogoutToken{}, signatureRefusal(signed.err)
	}
	if err != nil {
		return LogoutToken{}, invalid(remedy, fmt.Errorf("verifying the logout token: %w", reduced(err)))
	}
	c := signed.claims
	if err := checkLogoutClaims(c, token.Expiry, p.now()); err != nil {
		return LogoutToken{}, invalid(remedy, err)
	}
	if !p.dialect.handlesIssuer(doc, c.text("iss")) {
		return LogoutToken{}, invalid(remedy,
			fmt.Errorf("the logout token's iss is %s", quoted(c.text("iss"))))
	}
	verified := LogoutToken{SID: token.SessionID, JTI: token.TokenID, ExpiresAt: token.Expiry.Add(maxSkew)}
	if token.Subject != "" {
		subject, ok := p.SubjectOf(c.text("iss"), token.Subject)
		if !ok && verified.SID == "" {
			return LogoutToken{}, invalid(remedy,
				errors.New("the logout token's sub names nobody of this provider"))
		}
		verified.Subject = subject
	}
	return verified, nil
}

// checkLogoutClaims is what go-oidc leaves to us of section 2.6.
func checkLogoutClaims(c claims, expires, now time.Time) error {
	if err := checkIssuedAt(c, now); err != nil {
		return err
	}
	if expires.After(now.Add(maxLogoutLife)) {
		return fmt.Errorf("the logout token is good until %s", expires.UTC().Format(time.RFC3339))
	}
	if len(c.text("jti")) > 255 || len(c.text("sid")) > 255 {
		return errors.New("the logout token's jti or sid is longer than 255 bytes")
	}
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return fmt.Errorf("the logout token's events has no object %s", logoutEvent)
	}
	return nil
}
