package proxy

import (
	"errors"
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
