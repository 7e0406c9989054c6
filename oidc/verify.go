package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	// maxToken bounds a token before anything parses it, in bytes.
	maxToken = 64 << 10
	// maxSkew is how far the provider's clock and ours may differ.
	maxSkew = time.Minute
)

// expected is what an ID token is checked against.
type expected struct {
	nonce         string
	renewed       bool      // by a refresh token: the nonce was the sign-in's, and few providers repeat it
	accessToken   string    // that came with it; at_hash, if there is one, must be of it
	signedInSince time.Time // auth_time must not be before; zero: whenever
}

// verifyIDToken verifies a raw ID token (OpenID Connect Core 1.0, section 3.1.3.7) and returns its claims.
// Nothing in the token is believed before its signature is verified.
func (p *Provider) verifyIDToken(
	ctx context.Context, doc *document, raw string, want expected,
) (claims, *Error) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return nil, invalid("Let the provider sign ID tokens without encrypting them, and keep them below "+
			"64 KiB with fewer groups.",
			fmt.Errorf("the ID token has %d bytes and %d dots", len(raw), strings.Count(raw, ".")))
	}
	signed := p.signedBy(doc, "JWT")
	token, err := p.verifier(doc, signed).Verify(ctx, raw)
	if signed.err != nil {
		return nil, signatureRefusal(signed.err)
	}
	if err != nil {
		return nil, invalid(remedyFor(err), fmt.Errorf("verifying the ID token: %w", reduced(err)))
	}
	c := signed.claims
	if err := checkIssuedAt(c, p.now()); err != nil {
		return nil, invalid("Compare the clocks of this machine and the provider.", err)
	}
	if !want.renewed && subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(want.nonce)) != 1 {
		return nil, invalid("The ID token answers another sign-in. Many of these may be an attack.",
			errors.New("the ID token's nonce is not the one that was sent"))
	}
	if err := checkAuthorizedParty(c, token.Audience, p.cfg.ClientID); err != nil {
		return nil, invalid("Check client_id: the ID token was issued to another application.", err)
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(want.accessToken); err != nil {
			return nil, invalid("Many of these may be an attack: the ID token belongs to another access "+
				"token than it came with.", reduced(err))
		}
	}
	if !validSubject(token.Subject) {
		return nil, invalid("The provider must name the person by a sub of 1 to 255 ASCII characters.",
			fmt.Errorf("the ID token's sub has %d bytes, or other characters", len(token.Subject)))
	}
	if err := p.checkSignedInSince(c, want.signedInSince); err != nil {
		return nil, err
	}
	if err := p.dialect.check(doc, c); err != nil {
		return nil, err
	}
	return c, nil
}

// verifier is go-oidc's, with our keys, our clock, and up to maxSkew of leniency about the end of a token's
// life.
func (p *Provider) verifier(doc *document, keys gooidc.KeySet) *gooidc.IDTokenVerifier {
	return gooidc.NewVerifier(doc.IssuerURL, keys, &gooidc.Config{
		ClientID:             p.cfg.ClientID,
		SupportedSigningAlgs: doc.algorithms(),
		SkipIssuerCheck:      strings.Contains(doc.IssuerURL, tenantPlaceholder), // the dialect checks it
		Now:                  func() time.Time { return p.now().Add(-maxSkew) },
	})
}

// checkIssuedAt holds iat to be there (section 2), and not to lie ahead of our clock by more than maxSkew
// allows.
func checkIssuedAt(c claims, now time.Time) error {
	issued := c.instant("iat")
	if issued.IsZero() {
		return errors.New("the token has no iat")
	}
	if issued.After(now.Add(maxSkew)) {
		return fmt.Errorf("the token was issued at %s, and it is %s",
			issued.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkAuthorizedParty holds azp to be us when it is there, as it must be when the token is for several
// (section 3.1.3.7, steps 4 and 5).
func checkAuthorizedParty(c claims, audience []string, clientID string) error {
	if !c.has("azp") && len(audience) <= 1 {
		return nil
	}
	if c.text("azp") != clientID {
		return fmt.Errorf("the ID token's azp is %s, for the audience %s",
			quoted(c.text("azp")), quoted(strings.Join(audience, " ")))
	}
	return nil
}

// validSubject holds a sub to OpenID Connect Core 1.0, section 2. It becomes a key of ours.
func validSubject(sub string) bool {
	foreign := func(r rune) bool { return r < ' ' || r > '~' }
	return sub != "" && len(sub) <= 255 && !strings.ContainsFunc(sub, foreign)
}

func remedyFor(err error) string {
	var expired *gooidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return "Compare the clocks of this machine and the provider: the ID token has expired on arrival."
	case strings.Contains(err.Error(), "audience"):
		return "The ID token is for another application: check client_id."
	}
	return "Many of these may be an attack; one after a change is likely the change: issuer, client_id, " +
		"signing keys."
}

// signatureRefusal is the refusal of a token whose signature did not verify.
func signatureRefusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return invalid("Many of these may be an attack. If all sign-ins fail: the provider signs with a key "+
		"that it does not publish (an application's own signing key, in Entra or Okta).", err)
}

// signedBy is the go-oidc key set of one verification: it looks the key up in ours, keeps the claims in full,
// and hands go-oidc those that it checks.
type signedBy struct {
	keys       *keySet
	url        string // of the keys
	algorithms []string
	types      []string // that the header may claim to be of
	fits       func(publicKey, claims) error

	claims claims
	header jose.Header
	err    error // of the look-up, with its type, which go-oidc drops
}

// signedBy is for tokens that the provider signs as it signs ID tokens.
func (p *Provider) signedBy(doc *document, types ...string) *signedBy {
	return &signedBy{
		keys: p.keys, url: doc.JWKSURL, algorithms: doc.algorithms(), types: types,
		fits: func(key publicKey, c claims) error { return p.dialect.keyFits(doc, key, c) },
	}
}

// VerifySignature is called by go-oidc with the raw token.
func (s *signedBy) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	payload, err := s.verify(ctx, raw)
	s.err = err
	return payload, err
}

func (s *signedBy) verify(ctx context.Context, raw string) ([]byte, error) {
	var allowed []jose.SignatureAlgorithm
	for _, name := range s.algorithms {
		allowed = append(allowed, jose.SignatureAlgorithm(name))
	}
	token, err := jose.ParseSignedCompact(raw, allowed)
	if err != nil {
		return nil, fmt.Errorf("parsing the token: %w", reduced(err))
	}
	s.header = token.Signatures[0].Header
	if err := s.checkType(); err != nil {
		return nil, err
	}
	fits := func(key publicKey, payload []byte) error {
		c, _, err := decodeClaims(payload)
		if err != nil {
			return err
		}
		return s.fits(key, c)
	}
	payload, err := s.keys.verify(ctx, s.url, token, fits)
	if err != nil {
		return nil, err
	}
	all, checked, err := decodeClaims(payload)
	if err != nil {
		return nil, err
	}
	s.claims = all
	return checked, nil
}

// checkType refuses a token of another purpose that the same key signed: it says so in its header (RFC 8725,
// section 3.11).
func (s *signedBy) checkType() error {
	typ, claimed := s.header.ExtraHeaders[jose.HeaderType]
	if !claimed {
		return nil
	}
	name, _ := typ.(string)
	if slices.ContainsFunc(s.types, func(t string) bool { return strings.EqualFold(t, name) }) {
		return nil
	}
	return fmt.Errorf("the token is of type %s, not %s",
		quoted(fmt.Sprint(typ)), strings.Join(s.types, " or "))
}
