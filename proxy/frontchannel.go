package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// These are the ways in which a provider, rather than a person, ends what somebody has here. Each ends in the one revocation
// function of mapping.

const (
	maxChannelBody = 64 << 10
	maxSID         = 255 // bytes
)

// frontChannelLogout ends a session that the provider names by sid, in a frame of its own page (OpenID Connect Front-Channel
// Logout 1.0). It comes without our cookies, unauthenticated: whoever knows a sid can end that session, and nothing else. Okta's
// documents post it; Entra sends the sid alone.
func (p *Proxy) frontChannelLogout(ex *exchange, r *http.Request) error {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil {
		return refuse("not_found", "")
	}
	p.mayFrame(ex, r, provider)
	params, err := channelParameters(ex, r, http.MethodGet, http.MethodPost)
	if err != nil {
		return err
	}
	iss, sid := params.Get("iss"), params.Get("sid")
	switch {
	case iss != "" && !provider.MatchesIssuer(iss):
		return refuse("bad_request", "That issuer is not this provider’s.")
	case sid == "":
		return &problem{
			Code: "bad_request", Detail: "A sign-out in the front channel must name a session (sid).", Err: errors.New("a front-channel logout came without sid"),
			Remedy: "register the front-channel logout URI with \"session required\" (frontchannel_logout_session_required) at the provider",
		}
	case len(sid) > maxSID:
		return refuse("bad_request", "The session’s name is too long.")
	}
	sessions, err := p.sessions.SessionsBySID(r.Context(), provider.Name(), sid)
	if err != nil {
		return asProblem(err)
	}
	if err := p.endNamed(ex, r, provider, sessions, "signed out at the provider (front channel)"); err != nil {
		return asProblem(err)
	}
	ex.Header().Set("Content-Type", "text/html; charset=utf-8")
	ex.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(ex, "<!doctype html><title>Signed out</title>\n")
	return nil
}

// mayFrame lets the provider's own pages, and nobody else's, show the answer in a frame. It says the same whoever was signed in.
func (p *Proxy) mayFrame(w http.ResponseWriter, r *http.Request, provider *oidc.Provider) {
	origins := "'none'"
	if found := provider.Origins(r.Context()); len(found) > 0 {
		origins = strings.Join(found, " ")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+origins)
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// backChannelLogout ends what a signed logout token names: a session by sid, or by sub all sessions of a person (OpenID Connect
// Back-Channel Logout 1.0). Whatever is wrong, or fails, is 400 with an error in JSON (section 2.8).
func (p *Proxy) backChannelLogout(ex *exchange, r *http.Request) error {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil {
		return refuse("not_found", "")
	}
	if _, err := channelParameters(ex, r, http.MethodPost); err != nil {
		return p.refuseLogout(ex, r, provider, err)
	}
	token, err := provider.VerifyLogoutToken(r.Context(), r.PostForm.Get("logout_token"))
	if err != nil {
		return p.refuseLogout(ex, r, provider, err)
	}
	err = p.once(r.Context(), provider, "logout:"+token.JTI, token.ExpiresAt, func() error {
		sessions, err := p.namedBy(r.Context(), provider, token)
		if err != nil {
			return err
		}
		return p.endNamed(ex, r, provider, sessions, "signed out at the provider (back channel)")
	})
	if err != nil {
		return p.refuseLogout(ex, r, provider, err)
	}
	ex.Header().Set("Cache-Control", "no-store")
	ex.WriteHeader(http.StatusOK)
	return nil
}

// namedBy finds the sessions that a logout token means. A sid and a sub must both fit.
func (p *Proxy) namedBy(ctx context.Context, provider *oidc.Provider, token oidc.LogoutToken) ([]Session, error) {
	var account string
	if token.Subject != "" {
		found, err := p.accounts.AccountBySubject(ctx, token.Subject)
		if errors.Is(err, mapping.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		account = found.ID
	}
	if token.SID == "" {
		return p.sessions.SessionsOf(ctx, account)
	}
	sessions, err := p.sessions.SessionsBySID(ctx, provider.Name(), token.SID)
	if err != nil || account == "" {
		return sessions, err
	}
	var both []Session
	for _, s := range sessions {
		if s.AccountID == account {
			both = append(both, s)
		}
	}
	return both, nil
}

// refuseLogout answers a back-channel logout that changed nothing, or not all.
func (p *Proxy) refuseLogout(ex *exchange, r *http.Request, provider *oidc.Provider, err error) error {
	pr := asProblem(err)
	said, description := "invalid_request", "The logout token does not hold."
	switch pr.Code {
	case "provider_unavailable", "store_unavailable", "internal_error":
		said, description = "temporarily_unavailable", "The logout could not be completed."
	}
	ex.code = pr.Code
	p.log.WarnContext(r.Context(), "back-channel logout refused", "provider", provider.Name(), "code", pr.Code, "trace_id", ex.traceID, "error", err, remedy(pr))
	writeJSON(ex, http.StatusBadRequest, map[string]string{"error": said, "error_description": description})
	return nil
}

// universalLogout ends everything of a person at Okta's word (global token revocation, draft-parecki-oauth-global-token-revocation;
// Okta calls it Universal Logout): sessions, streams and Vexa keys. They may sign in again if Okta lets them.
func (p *Proxy) universalLogout(ex *exchange, r *http.Request) error {
	provider := p.provider(r.PathValue("provider"))
	switch {
	case provider == nil || provider.Type() != oidc.TypeOkta:
		return refuse("not_found", "")
	case r.Method != http.MethodPost:
		return refuse("method_not_allowed", "")
	}
	bearer, ok := bearerToken(r)
	if !ok {
		return refuse("token_invalid", "Universal Logout must show one bearer token.")
	}
	endpoint := p.origin + "/sso/logout/universal/" + provider.Name()
	jti, until, err := provider.VerifyUniversalLogout(r.Context(), bearer, endpoint)
	if err != nil {
		return asCaller(err)
	}
	who, err := readSubject(ex, r)
	if err != nil {
		return err
	}
	var found []mapping.Account
	err = p.once(r.Context(), provider, "universal:"+jti, until, func() (err error) {
		if found, err = p.meant(r.Context(), provider, who); err != nil {
			return err
		}
		return p.endEverything(ex, r, provider, found)
	})
	switch {
	case err != nil:
		return asProblem(err)
	case len(found) == 0:
		return refuse("not_found", "Nobody here is known by that name.")
	}
	ex.Header().Set("Cache-Control", "no-store")
	ex.WriteHeader(http.StatusNoContent)
	return nil
}

// bearerToken is the one bearer token of a request (RFC 6750 section 2.1).
func bearerToken(r *http.Request) (string, bool) {
	shown := r.Header["Authorization"]
	if len(shown) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(shown[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// asCaller is an error of verifying a caller: 401, unless the provider's keys could not be read.
func asCaller(err error) *problem {
	pr := asProblem(err)
	if pr.Code == oidc.CodeProviderUnavailable || pr.Code == "internal_error" {
		return pr
	}
	return &problem{Code: "token_invalid", Detail: "That token is not one that this provider calls us with.", Err: err}
}

// subjectID names a person (RFC 9493).
type subjectID struct{ format, email, iss, sub string }

// readSubject reads the body of Universal Logout. Names are matched exactly, and none may come twice: which of two would count
// is a matter of taste (C9).
func readSubject(w http.ResponseWriter, r *http.Request) (subjectID, error) {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxChannelBody))
	outer, err := members(body)
	if err == nil && body.More() {
		err = errors.New("something follows the object")
	}
	var inner map[string]json.RawMessage
	if err == nil {
		inner, err = members(json.NewDecoder(strings.NewReader(string(outer["sub_id"]))))
	}
	if err != nil {
		return subjectID{}, refuseBecause("bad_request", "The body must be a JSON object with a sub_id.", err)
	}
	var id subjectID
	for name, into := range map[string]*string{"format": &id.format, "email": &id.email, "iss": &id.iss, "sub": &id.sub} {
		if raw, ok := inner[name]; ok && json.Unmarshal(raw, into) != nil {
			return subjectID{}, refuse("bad_request", "A member of sub_id is not a string.")
		}
	}
	switch {
	case id.format == "email" && id.email != "", id.format == "iss_sub" && id.iss != "" && id.sub != "":
		return id, nil
	}
	return subjectID{}, refuse("bad_request", "sub_id must have the format email, or iss_sub, and what belongs to it.")
}

// members reads one JSON object, with its names as they are and each once.
func members(from *json.Decoder) (map[string]json.RawMessage, error) {
	if t, err := from.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("it is not a JSON object"), err)
	}
	found := map[string]json.RawMessage{}
	for from.More() {
		name, err := from.Token()
		if err != nil {
			return nil, fmt.Errorf("read a name: %w", err)
		}
		var value json.RawMessage
		if err := from.Decode(&value); err != nil {
			return nil, fmt.Errorf("read a value: %w", err)
		}
		if _, twice := found[name.(string)]; twice {
			return nil, errors.New("a member comes twice")
		}
		found[name.(string)] = value
	}
	_, err := from.Token()
	return found, err
}

// meant finds the accounts of the provider that a subject identifier names.
func (p *Proxy) meant(ctx context.Context, provider *oidc.Provider, who subjectID) ([]mapping.Account, error) {
	if who.format == "email" {
		return p.accounts.AccountsByEmail(ctx, provider.Name(), who.email)
	}
	subject, ok := provider.SubjectOf(who.iss, who.sub)
	if !ok {
		return nil, nil
	}
	account, err := p.accounts.AccountBySubject(ctx, subject)
	if errors.Is(err, mapping.ErrNotFound) || err == nil && account.Provider != provider.Name() {
		return nil, nil
	}
	return []mapping.Account{account}, err
}

// endEverything ends all that accounts have, here at once.
func (p *Proxy) endEverything(ex *exchange, r *http.Request, provider *oidc.Provider, accounts []mapping.Account) error {
	const reason = "the provider ended everything of theirs (Universal Logout)"
	for _, account := range accounts {
		if err := p.accounts.SignOutEverywhere(r.Context(), account.ID, reason, "provider "+provider.Name()); err != nil {
			return err
		}
		p.Apply(mapping.Revocation{At: p.now(), Kind: mapping.RevokeAccount, Account: account.ID, Reason: reason})
		p.record(ex, r, mapping.Event{Event: mapping.EventProviderLogout, Actor: "provider " + provider.Name(), Account: account.ID, Provider: provider.Name(), Reason: reason})
	}
	return nil
}

// endNamed ends sessions, here at once. One that has ended meanwhile has ended.
func (p *Proxy) endNamed(ex *exchange, r *http.Request, provider *oidc.Provider, sessions []Session, reason string) error {
	for _, s := range sessions {
		revocation := mapping.Revocation{At: p.now(), Kind: mapping.RevokeSession, Account: s.AccountID, Session: s.ID, Reason: reason}
		err := p.accounts.Revoke(r.Context(), revocation, "provider "+provider.Name())
		if errors.Is(err, mapping.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		p.Apply(revocation)
		p.record(ex, r, mapping.Event{Event: mapping.EventProviderLogout, Actor: "provider " + provider.Name(), Account: s.AccountID, Provider: provider.Name(), Reason: reason, CredentialID: s.ID})
	}
	return nil
}

// channelParameters are those of the query and, where there is one, of the form. None may come twice (C9).
func channelParameters(w http.ResponseWriter, r *http.Request, methods ...string) (url.Values, error) {
	allowed := false
	for _, m := range methods {
		allowed = allowed || r.Method == m
	}
	if !allowed {
		return nil, refuse("method_not_allowed", "")
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxChannelBody)
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuseBecause("bad_request", "The parameters cannot be read.", err)
	}
	for _, values := range r.Form {
		if len(values) > 1 {
			return nil, refuse("bad_request", "A parameter comes twice.")
		}
	}
	return r.Form, nil
}
