package channel

import (
	"context"
	"errors"
	"net/http"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// BackChannelLogout ends what a signed logout token names: a session by sid, or by sub all sessions of a
// person (OpenID Connect Back-Channel Logout 1.0). Whatever is wrong, or fails, is 400 with an error in JSON
// (section 2.8).
func (e *Endpoints) BackChannelLogout(ex *exchange.Exchange, r *http.Request) error {
	provider := e.providers.ByName(r.PathValue("provider"))
	if provider == nil {
		return exchange.Refuse("not_found", "")
	}
	if _, err := channelParameters(ex, r, http.MethodPost); err != nil {
		return e.refuseLogout(ex, r, provider, err)
	}
	token, err := provider.VerifyLogoutToken(r.Context(), r.PostForm.Get("logout_token"))
	if err != nil {
		return e.refuseLogout(ex, r, provider, err)
	}
	err = e.consumeOnce(r.Context(), provider, "logout:"+token.JTI, token.ExpiresAt, func() error {
		sessions, err := e.sessionsNamedBy(r.Context(), provider, token)
		if err != nil {
			return err
		}
		return e.endNamed(ex, r, provider, sessions, "signed out at the provider (back channel)")
	})
	if err != nil {
		return e.refuseLogout(ex, r, provider, err)
	}
	ex.Header().Set("Cache-Control", "no-store")
	ex.WriteHeader(http.StatusOK)
	return nil
}

// sessionsNamedBy returns the sessions that a logout token names. A sid and a sub must both match.
func (e *Endpoints) sessionsNamedBy(
	ctx context.Context, provider *oidc.Provider, token oidc.LogoutToken,
) ([]caller.Session, error) {
	var account string
	if token.Subject != "" {
		found, err := e.accounts.AccountBySubject(ctx, token.Subject)
		if errors.Is(err, mapping.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		account = found.ID
	}
	if token.SID == "" {
		return e.sessions.SessionsOf(ctx, account)
	}
	sessions, err := e.sessions.SessionsBySID(ctx, provider.Name(), token.SID)
	if err != nil || account == "" {
		return sessions, err
	}
	var both []caller.Session
	for _, s := range sessions {
		if s.AccountID == account {
			both = append(both, s)
		}
	}
	return both, nil
}

// refuseLogout answers a back-channel logout that ended nothing, or not everything (section 2.8).
func (e *Endpoints) refuseLogout(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, err error,
) error {
	pr := exchange.AsProblem(err)
	said, description := "invalid_request", "The logout token is not valid."
	switch pr.Code {
	case "provider_unavailable", "store_unavailable", "internal_error":
		said, description = "temporarily_unavailable", "The logout could not be completed."
	}
	ex.Code = pr.Code
	e.edge.Log.WarnContext(r.Context(), "back-channel logout refused", "provider", provider.Name(),
		"code", pr.Code, "trace_id", ex.TraceID, "error", err, pr.RemedyAttr())
	exchange.WriteJSON(ex, http.StatusBadRequest,
		map[string]string{"error": said, "error_description": description})
	return nil
}
