package authserver

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(c call) (any, error) {
	switch grant := oidc.GrantType(c.form.get("grant_type")); grant {
	case oidc.GrantTypeCode:
		return s.redeem(c)
	case oidc.GrantTypeRefreshToken:
		return s.refresh(c)
	case oidc.GrantTypeDeviceCode:
		return s.poll(c)
	case "":
		return nil, invalid("grant_type is missing")
	}
	return nil, &oidc.Error{ErrorType: oidc.UnsupportedGrantType, Description: "grant_type is none of " +
		"those that the metadata lists"}
}

// The syntax of a code verifier and of an S256 challenge (RFC 7636 sections 4.1 and 4.2).
var (
	verifierText  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	challengeText = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

var errBadCode = invalidGrant("the code is unknown, was used, has expired, or was not given to this client " +
	"for this redirect_uri and verifier")

// redeem is the token endpoint for an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
func (s *Server) redeem(c call) (any, error) {
	verifier, redirectURI := c.form.get("code_verifier"), c.form.get("redirect_uri")
	switch {
	case c.form.get("code") == "":
		return nil, invalid("code is missing")
	case redirectURI == "":
		return nil, invalid("redirect_uri is missing")
	case verifier == "":
		return nil, invalid("code_verifier is missing")
	case !verifierText.MatchString(verifier):
		return nil, invalid("code_verifier is not 43 to 128 unreserved characters")
	}
	hash, ok := mapping.ParseTokenValue(codeValue, c.form.get("code"))
	if !ok {
		return nil, errBadCode
	}
	return s.lookUp(c, hash, func() (any, error) { return s.redeemCode(c, hash, redirectURI, verifier) })
}

// redeemCode marks a code as spent, which it can be once, and issues its tokens.
func (s *Server) redeemCode(c call, hash [32]byte, redirectURI, verifier string) (any, error) {
	var a Authorization // as it was
	var good, again bool
	err := s.store.ChangeAuthorization(c.Request().Context(), hash, func(stored *Authorization) error {
		a, good, again = *stored, false, false
		switch {
		case stored.Kind != KindCode:
		case stored.Status == StatusSpent:
			again, stored.Status = true, StatusReused
		case stored.Status != StatusApproved || !s.now().Before(stored.ExpiresAt):
		case !stored.isFor(c.client, redirectURI, verifier):
			stored.Status = StatusDenied // the code is in wrong hands
		default:
			good, stored.Status, stored.ExpiresAt = true, StatusSpent, s.now().Add(spentLifetime)
		}
		return nil
	})
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, &refusal{answer: errBadCode, unknown: true}
	case err != nil:
		return nil, err
	case again:
		return nil, s.codeReused(c, a)
	case !good:
		return nil, &refusal{answer: errBadCode}
	}
	return s.issue(c, a)
}

// isFor reports whether a code was issued to this client, for this redirect URI, and matches this verifier.
func (a Authorization) isFor(client Client, redirectURI, verifier string) bool {
	challenge := &oidc.CodeChallenge{Challenge: a.Asked.Challenge, Method: oidc.CodeChallengeMethodS256}
	return a.Asked.Client == client.ID && a.Asked.RedirectURI == redirectURI &&
		oidc.VerifyCodeChallenge(challenge, verifier)
}

// issue makes the tokens that a person has agreed to, and stores the token's id with the code, so that a
// reuse of the code can revoke it. a is the authorization as it was before it was spent.
func (s *Server) issue(c call, a Authorization) (any, error) {
	ctx := c.Request().Context()
	issued, err := s.accounts.GrantTool(ctx, a.AccountID, mapping.NewToken{
		Kind: mapping.TokenTool, Client: c.client.ID, Name: c.client.Name,
		Scopes: rule.NewScopes(a.Asked.Scopes...), Lifetime: s.lifetime,
		Address: c.Address(), TraceID: c.TraceID(),
	}, a.AccountID)
	if m, ok := errors.AsType[*mapping.Error](err); ok && m.Code == mapping.CodePendingApproval {
		return nil, s.restoreCode(ctx, a, err)
	}
	if err != nil {
		return nil, err
	}
	a.Asked.Token = issued.Token.ID
	again := false
	err = s.store.ChangeAuthorization(ctx, a.Hash, func(stored *Authorization) error {
		again, stored.Asked.Token = stored.Status == StatusReused, issued.Token.ID
		return nil
	})
	if errors.Is(err, mapping.ErrNotFound) { // everything of the person was just revoked
		return nil, errBadCode
	}
	if err != nil {
		return nil, err
	}
	if again { // reused while the tokens were being made
		return nil, s.revokeReused(c, a)
	}
	return s.tokens(issued), nil
}

// restoreCode makes a spent code valid again, because an administrator has to decide about the person first.
// Then the client may come back with it, for as long as it would have been valid.
func (s *Server) restoreCode(ctx context.Context, a Authorization, why error) error {
	err := s.store.ChangeAuthorization(ctx, a.Hash, func(stored *Authorization) error {
		if stored.Status == StatusSpent {
			stored.Status, stored.ExpiresAt = a.Status, a.ExpiresAt
		}
		return nil
	})
	if err != nil && !errors.Is(err, mapping.ErrNotFound) {
		return err
	}
	return why
}

// codeReused revokes what a code gave that is used a second time: it is in two hands (RFC 6749 section
// 4.1.2).
func (s *Server) codeReused(c call, a Authorization) error {
	c.Record(mapping.Event{
		Event: mapping.EventCodeReused, Account: a.AccountID, CredentialID: a.Asked.Token,
		Reason: "an authorization code of " + a.Asked.Client + " was shown again by " + c.client.ID,
	})
	if a.Asked.Token == "" {
		return errBadCode // its tokens are being made; issue sees StatusReused and revokes them
	}
	return s.revokeReused(c, a)
}

func (s *Server) revokeReused(c call, a Authorization) error {
	err := s.endGrant(c.Request().Context(), a.AccountID, a.Asked.Token,
		"its authorization code was shown twice", "vexa-sso")
	if err != nil {
		return err
	}
	return errBadCode
}

// endGrant revokes a program's grant. It is idempotent.
func (s *Server) endGrant(ctx context.Context, account, token, reason, actor string) error {
	err := s.ender.End(ctx, mapping.Revocation{
		At: s.now(), Kind: mapping.RevokeToken, Account: account, Token: token, Reason: reason,
	}, actor)
	if errors.Is(err, mapping.ErrNotFound) {
		return nil
	}
	return err
}

var errBadRefresh = invalidGrant("the refresh token is unknown, has expired, was revoked, or is " +
	"another client's")

// refresh is the token endpoint for a refresh token (RFC 6749 section 6). A client cannot change its scopes
// with it.
func (s *Server) refresh(c call) (any, error) {
	if c.form.get("refresh_token") == "" {
		return nil, invalid("refresh_token is missing")
	}
	hash, ok := mapping.ParseTokenValue(mapping.RefreshValue, c.form.get("refresh_token"))
	if !ok {
		return nil, errBadRefresh
	}
	return s.lookUp(c, hash, func() (any, error) { return s.renew(c, hash) })
}

// renew exchanges a refresh token for the next pair.
func (s *Server) renew(c call, hash [32]byte) (any, error) {
	if err := s.sameScopes(c, hash); err != nil {
		return nil, err
	}
	issued, err := s.accounts.RefreshTool(c.Request().Context(), hash, c.client.ID)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, &refusal{answer: errBadRefresh, unknown: true}
	case errors.Is(err, mapping.ErrTokenReused):
		return nil, invalidGrant("the refresh token was used before, so it may be in two hands: everything " +
			"that it led to is revoked; sign in again")
	case err != nil:
		return nil, err
	}
	return s.tokens(issued), nil
}

// sameScopes refuses a scope parameter that names other scopes than the grant has.
func (s *Server) sameScopes(c call, hash [32]byte) error {
	asked, err := scopesOf(c.form.get("scope"), s.scopes)
	if err != nil || len(asked) == 0 {
		return err
	}
	token, err := s.accounts.TokenOfRefresh(c.Request().Context(), hash)
	if errors.Is(err, mapping.ErrNotFound) {
		return nil // RefreshTool returns it too
	}
	if err == nil && rule.NewScopes(asked...) != token.Scopes {
		err = &oidc.Error{ErrorType: oidc.InvalidScope, Description: "a refresh keeps the scopes: leave " +
			"scope out, or sign in again with other ones"}
	}
	return err
}

// tokens returns the token response (RFC 6749 section 5.1).
func (s *Server) tokens(issued mapping.Issued) *oidc.AccessTokenResponse {
	return &oidc.AccessTokenResponse{
		AccessToken: issued.Access, TokenType: oidc.BearerToken,
		ExpiresIn:    uint64(max(0, issued.AccessExpires.Sub(s.now())/time.Second)),
		RefreshToken: issued.Refresh, Scope: issued.Token.Scopes.List(),
	}
}

// revoke is the revocation endpoint (RFC 7009): any value of a grant revokes the whole of it. An unknown
// value is 200 too (section 2.2).
func (s *Server) revoke(c call) (any, error) {
	value := c.form.get("token")
	if value == "" {
		return nil, invalid("token is missing")
	}
	find, hash := s.finderFor(value)
	if find == nil {
		return struct{}{}, nil
	}
	body, err := s.lookUp(c, hash, func() (any, error) { return s.endGrantOf(c, hash, find) })
	if _, ok := errors.AsType[*refusal](err); ok {
		return struct{}{}, nil
	}
	return body, err
}

// endGrantOf revokes the grant of a value, if it is this client's.
func (s *Server) endGrantOf(c call, hash [32]byte, find finder) (any, error) {
	token, err := find(c.Request().Context(), hash)
	if errors.Is(err, mapping.ErrNotFound) {
		return nil, &refusal{answer: errBadRefresh, unknown: true}
	}
	if err != nil {
		return nil, err
	}
	if token.Kind != mapping.TokenTool || token.Client != c.client.ID {
		return nil, invalidGrant("the token was not given to this client")
	}
	if err := s.endGrant(c.Request().Context(), token.AccountID, token.ID, "signed out by "+token.Name,
		token.AccountID); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// finder returns the token with that hash.
type finder func(ctx context.Context, hash [32]byte) (mapping.Token, error)

// finderFor returns the finder for a value, whatever token_type_hint says, as its prefix tells its type. It
// is nil for a value of no known shape.
func (s *Server) finderFor(value string) (find finder, hash [32]byte) {
	if hash, ok := mapping.ParseTokenValue(mapping.RefreshValue, value); ok {
		return s.accounts.TokenOfRefresh, hash
	}
	if hash, ok := mapping.ParseTokenValue(mapping.AccessValue, value); ok {
		return func(ctx context.Context, hash [32]byte) (mapping.Token, error) {
			token, _, err := s.accounts.TokenByValue(ctx, hash)
			return token, err
		}, hash
	}
	return nil, hash
}
