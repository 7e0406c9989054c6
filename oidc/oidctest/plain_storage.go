package oidctest

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// plainRequest is an authorization request as the library sees it, from the sign-in page to
// the redemption of its code.
type plainRequest struct {
	id      string
	asked   *zoidc.AuthRequest
	expires time.Time // of the code; set before the code is handed out
	granted atomic.Pointer[grant]
	used    atomic.Bool
}

func (r *plainRequest) finish(g *grant) { r.granted.Store(g) }

// given is the grant, an empty one until somebody has signed in.
func (r *plainRequest) given() *grant {
	if g := r.granted.Load(); g != nil {
		return g
	}
	return &grant{client: r.asked.ClientID, scopes: r.asked.Scopes}
}

func (r *plainRequest) Done() bool                          { return r.granted.Load() != nil }
func (r *plainRequest) GetID() string                       { return r.id }
func (r *plainRequest) GetACR() string                      { return "" }
func (r *plainRequest) GetAMR() []string                    { return []string{"pwd"} }
func (r *plainRequest) GetAudience() []string               { return []string{r.asked.ClientID} }
func (r *plainRequest) GetAuthTime() time.Time              { return r.given().authTime }
func (r *plainRequest) GetClientID() string                 { return r.asked.ClientID }
func (r *plainRequest) GetNonce() string                    { return r.asked.Nonce }
func (r *plainRequest) GetRedirectURI() string              { return r.asked.RedirectURI }
func (r *plainRequest) GetResponseType() zoidc.ResponseType { return r.asked.ResponseType }
func (r *plainRequest) GetResponseMode() zoidc.ResponseMode { return r.asked.ResponseMode }
func (r *plainRequest) GetScopes() []string                 { return r.given().scopes }
func (r *plainRequest) GetState() string                    { return r.asked.State }
func (r *plainRequest) GetSubject() string                  { return r.given().person }

func (r *plainRequest) GetCodeChallenge() *zoidc.CodeChallenge {
	if r.asked.CodeChallenge == "" {
		return nil
	}
	return &zoidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}

// plainGrant is what the library needs of a grant that is being refreshed, or that a client has for itself.
type plainGrant struct {
	*grant
	scopes []string // of this request, at most the grant's
}

func (g *plainGrant) GetAMR() []string                 { return []string{"pwd"} }
func (g *plainGrant) GetAudience() []string            { return []string{g.client} }
func (g *plainGrant) GetAuthTime() time.Time           { return g.authTime }
func (g *plainGrant) GetClientID() string              { return g.client }
func (g *plainGrant) GetScopes() []string              { return g.scopes }
func (g *plainGrant) SetCurrentScopes(scopes []string) { g.scopes = scopes }

func (g *plainGrant) GetSubject() string {
	if g.person == "" {
		return g.client
	}
	return g.person
}

// plainStorage lets the library keep its things in the double's ledger.
type plainStorage struct{ *Plain }

var (
	_ op.Storage                        = plainStorage{}
	_ op.ClientCredentialsStorage       = plainStorage{}
	_ op.CanSetUserinfoFromRequest      = plainStorage{}
	_ op.CanTerminateSessionFromRequest = plainStorage{}
)

var errNotIssued = errors.New("this provider did not issue it, or no longer stands by it")

func (s plainStorage) Health(context.Context) error { return nil }

func (s plainStorage) CreateAuthRequest(
	ctx context.Context, asked *zoidc.AuthRequest, _ string,
) (op.AuthRequest, error) {
	params, _ := ctx.Value(keyParams).(url.Values)
	client, _ := s.Client(asked.ClientID)
	request := &plainRequest{id: s.random.token(24), asked: asked}
	s.ledger.pending.Add(request.id,
		&authorization{params: params, client: client, scopes: asked.Scopes, made: s.now(), request: request})
	return request, nil
}

func (s plainStorage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	if a, ok := s.ledger.pending.Get(id); ok && a.request != nil {
		return a.request, nil
	}
	return nil, errNotIssued
}

func (s plainStorage) SaveAuthCode(_ context.Context, id, code string) error {
	a, ok := s.ledger.pending.Get(id)
	if !ok {
		return errNotIssued
	}
	a.request.expires = s.now().Add(plainCodeLifetime)
	s.codes.Add(code, a.request)
	return nil
}

func (s plainStorage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	request, ok := s.codes.Get(code)
	if !ok || request.used.Load() || s.now().After(request.expires) {
		return nil, errNotIssued
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if !s.holds(request.given()) {
		return nil, errNotIssued
	}
	return request, nil
}

func (s plainStorage) DeleteAuthRequest(_ context.Context, id string) error {
	s.ledger.pending.Remove(id)
	return nil
}

// grantOf finds the grant behind a token request. A code is used up here, where only one of two
// that come at once passes.
func grantOf(request op.TokenRequest) (*grant, error) {
	switch r := request.(type) {
	case *plainRequest:
		if !r.used.CompareAndSwap(false, true) {
			return nil, zoidc.ErrInvalidGrant()
		}
		return r.given(), nil
	case *plainGrant:
		return r.grant, nil
	}
	return nil, zoidc.ErrInvalidRequest().WithDescription("the grant type is not supported")
}

func (s plainStorage) CreateAccessToken(
	_ context.Context, request op.TokenRequest,
) (string, time.Time, error) {
	g, err := grantOf(request)
	if err != nil {
		return "", time.Time{}, err
	}
	id, expires := s.newAccess(g, request.GetScopes())
	return id, expires, nil
}

func (s plainStorage) newAccess(g *grant, scopes []string) (id string, expires time.Time) {
	id, expires = s.random.token(16), s.now().Add(plainTokenLifetime)
	s.ledger.access.Add(id, &issuedAccess{grant: g, scopes: scopes, expires: expires})
	return id, expires
}

func (s plainStorage) CreateAccessAndRefreshTokens(
	_ context.Context, request op.TokenRequest, shown string,
) (id, refresh string, expires time.Time, err error) {
	g, err := grantOf(request)
	if err != nil {
		return "", "", time.Time{}, err
	}
	if refresh, err = s.nextRefresh(g, shown); err != nil {
		return "", "", time.Time{}, err
	}
	id, expires = s.newAccess(g, request.GetScopes())
	return id, refresh, expires, nil
}

func (s plainStorage) nextRefresh(g *grant, shown string) (string, error) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if shown == "" {
		return s.newRefresh(g), nil
	}
	token, ok := s.ledger.refresh.Get(shown)
	client, known := s.Client(g.client)
	if !ok || !known || !s.holds(g) {
		return "", zoidc.ErrInvalidGrant()
	}
	next, ok := s.turn(shown, token, client)
	if !ok {
		return "", zoidc.ErrInvalidGrant()
	}
	return next, nil
}

func (s plainStorage) TokenRequestByRefreshToken(
	_ context.Context, shown string,
) (op.RefreshTokenRequest, error) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	token, ok := s.ledger.refresh.Get(shown)
	if !ok || !s.holds(token.grant) || s.now().After(token.lastUsed.Add(plainRefreshIdle)) {
		return nil, op.ErrInvalidRefreshToken
	}
	if p, _ := s.Person(token.person); p.Unassigned || p.MFARequired {
		return nil, op.ErrInvalidRefreshToken
	}
	return &plainGrant{grant: token.grant, scopes: slices.Clone(token.grant.scopes)}, nil
}

// TerminateSession and its successor end the browser's session, not what was issued in it.
func (s plainStorage) TerminateSession(context.Context, string, string) error { return nil }

func (s plainStorage) TerminateSessionFromRequest(
	ctx context.Context, request *op.EndSessionRequest,
) (string, error) {
	if current, _ := ctx.Value(keySession).(*session); current != nil {
		s.ledger.sessions.Remove(current.cookie)
	}
	return request.RedirectURI, nil
}

func (s plainStorage) RevokeToken(_ context.Context, tokenOrID, _, clientID string) *zoidc.Error {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if refresh, ok := s.ledger.refresh.Get(tokenOrID); ok && refresh.client == clientID {
		refresh.revoked = true
	}
	if access, ok := s.ledger.access.Get(tokenOrID); ok && access.client == clientID {
		access.revoked = true
	}
	return nil
}

func (s plainStorage) GetRefreshTokenInfo(
	_ context.Context, _ string, token string,
) (userID, tokenID string, err error) {
	refresh, ok := s.ledger.refresh.Get(token)
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	return refresh.person, token, nil
}

// plainSigner and plainPublished show a Key to the library, for signing and for publishing.
type plainSigner struct{ key *Key }

func (k plainSigner) ID() string                                  { return k.key.ID }
func (k plainSigner) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k plainSigner) Key() any                                    { return k.key.Private }

type plainPublished struct{ key *Key }

func (k plainPublished) ID() string                         { return k.key.ID }
func (k plainPublished) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k plainPublished) Use() string                        { return k.key.Use }
func (k plainPublished) Key() any                           { return k.key.Private.Public() }

func (s plainStorage) SigningKey(context.Context) (op.SigningKey, error) {
	key, err := s.keys.Active()
	if err != nil {
		return nil, err
	}
	return plainSigner{key}, nil
}

func (s plainStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s plainStorage) KeySet(context.Context) ([]op.Key, error) {
	keys, _, err := s.keys.fetch()
	if err != nil {
		return nil, err
	}
	set := make([]op.Key, 0, len(keys))
	for _, key := range keys {
		set = append(set, plainPublished{key})
	}
	return set, nil
}

func (s plainStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	client, ok := s.Client(id)
	if !ok {
		return nil, zoidc.ErrInvalidClient().WithDescription("unknown client")
	}
	return plainClient{Client: client, options: s.options, login: func(id string) string {
		return s.url("/login?id=" + url.QueryEscape(id))
	}}, nil
}

func (s plainStorage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	client, ok := s.Client(id)
	if !ok || !knows(client.Secrets, secret) {
		return zoidc.ErrInvalidClient().WithDescription("wrong secret")
	}
	return nil
}

func (s plainStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.GetClientByClientID(ctx, id)
}

func (s plainStorage) ClientCredentialsTokenRequest(
	_ context.Context, id string, scopes []string,
) (op.TokenRequest, error) {
	return &plainGrant{grant: &grant{client: id, scopes: scopes, issued: s.now()}, scopes: scopes}, nil
}

// SetUserinfoFromScopes is deprecated by the library in favour of SetUserinfoFromRequest.
func (s plainStorage) SetUserinfoFromScopes(
	context.Context, *zoidc.UserInfo, string, string, []string,
) error {
	return nil
}

func (s plainStorage) SetUserinfoFromRequest(
	_ context.Context, info *zoidc.UserInfo, request op.IDTokenRequest, scopes []string,
) error {
	p, _ := s.Person(request.GetSubject())
	info.Subject = request.GetSubject()
	fill(info, plainProfile(p, scopes).override(p))
	switch r := request.(type) {
	case *plainRequest:
		info.AppendClaims("sid", r.given().sid)
	case *plainGrant:
		info.AppendClaims("sid", r.sid)
	}
	return nil
}

// fill adds claims as extra ones, so that email_verified: false is said and not left out.
func fill(info *zoidc.UserInfo, claims Claims) {
	for name, value := range claims {
		info.AppendClaims(name, value)
	}
}

func (s plainStorage) SetUserinfoFromToken(
	_ context.Context, info *zoidc.UserInfo, id, subject, _ string,
) error {
	access, ok := s.accessToken(id)
	if !ok || access.person != subject || access.person == "" {
		return errNotIssued
	}
	p, _ := s.Person(access.person)
	info.Subject = p.ID
	fill(info, plainProfile(p, access.scopes).override(p))
	return nil
}

func (s plainStorage) SetIntrospectionFromToken(
	_ context.Context, answer *zoidc.IntrospectionResponse, id, subject, _ string,
) error {
	access, ok := s.accessToken(id)
	if !ok {
		return errNotIssued
	}
	answer.Active = true
	answer.Subject = subject
	answer.ClientID = access.client
	answer.Scope = access.scopes
	return nil
}

func (s plainStorage) GetPrivateClaimsFromScopes(
	_ context.Context, subject, _ string, scopes []string,
) (map[string]any, error) {
	p, ok := s.Person(subject)
	if !ok {
		return nil, nil
	}
	return plainProfile(p, slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return scope != "groups" && scope != "roles"
	})), nil
}

func (s plainStorage) GetKeyByIDAndClientID(
	_ context.Context, keyID, clientID string,
) (*jose.JSONWebKey, error) {
	client, _ := s.Client(clientID)
	for _, key := range client.Keys {
		if key.KeyID == keyID {
			return &key, nil
		}
	}
	return nil, errNotIssued
}

func (s plainStorage) ValidateJWTProfileScopes(
	_ context.Context, _ string, scopes []string,
) ([]string, error) {
	return scopes, nil
}
