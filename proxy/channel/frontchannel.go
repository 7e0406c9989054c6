package channel

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

const (
	maxChannelBody = 64 << 10
	maxSID         = 255 // bytes
)

// Endpoints are the endpoints that providers call.
type Endpoints struct {
	edge      *exchange.Edge
	accounts  Accounts
	ender     Ender
	sessions  Sessions
	providers oidc.Providers
}

// Deps are the dependencies of Endpoints.
type Deps struct {
	Edge      *exchange.Edge
	Accounts  Accounts
	Ender     Ender
	Sessions  Sessions
	Providers oidc.Providers
}

// Accounts is the port to accounts. *mapping.Accounts implements it.
type Accounts interface {
	AccountBySubject(ctx context.Context, subject string) (mapping.Account, error)
	AccountsByEmail(ctx context.Context, provider, email string) ([]mapping.Account, error)
	Spent(ctx context.Context, provider, jti string) (bool, error)
	Spend(ctx context.Context, provider, jti string, until time.Time) error
}

// Ender revokes: for good, on this replica at once and on the others within a second. *proxy.Proxy implements
// it.
type Ender interface {
	End(ctx context.Context, r mapping.Revocation, actor string) error
	SignOutEverywhere(ctx context.Context, account, reason, actor string) error
}

// Sessions finds the sessions that a provider names. The session store implements it.
type Sessions interface {
	SessionsBySID(ctx context.Context, provider, sid string) ([]caller.Session, error)
	SessionsOf(ctx context.Context, accountID string) ([]caller.Session, error)
}

// New returns the endpoints.
func New(d Deps) *Endpoints {
	return &Endpoints{
		edge: d.Edge, accounts: d.Accounts, ender: d.Ender, sessions: d.Sessions, providers: d.Providers,
	}
}

// FrontChannelLogout ends the session that the provider names by sid, in an iframe of the provider's page
// (OpenID Connect Front-Channel Logout 1.0). The request has no cookies of ours and is unauthenticated:
// whoever knows a sid can end that session, and nothing else. Okta's documents say POST; Entra sends sid
// without iss.
func (e *Endpoints) FrontChannelLogout(ex *exchange.Exchange, r *http.Request) error {
	provider := e.providers.ByName(r.PathValue("provider"))
	if provider == nil {
		return exchange.Refuse("not_found", "")
	}
	e.allowFraming(ex, r, provider)
	params, err := channelParameters(ex, r, http.MethodGet, http.MethodPost)
	if err != nil {
		return err
	}
	iss, sid := params.Get("iss"), params.Get("sid")
	switch {
	case iss != "" && !provider.MatchesIssuer(iss):
		return exchange.Refuse("bad_request", "That issuer is not this provider’s.")
	case sid == "":
		return &exchange.Problem{
			Code: "bad_request", Detail: "A sign-out in the front channel must name a session (sid).",
			Err: errors.New("a front-channel logout came without sid"),
			Remedy: "register the front-channel logout URI with \"session required\" " +
				"(frontchannel_logout_session_required) at the provider",
		}
	case len(sid) > maxSID:
		return exchange.Refuse("bad_request", "The session’s name is too long.")
	}
	sessions, err := e.sessions.SessionsBySID(r.Context(), provider.Name(), sid)
	if err != nil {
		return exchange.AsProblem(err)
	}
	if err := e.endNamed(ex, r, provider, sessions,
		"signed out at the provider (front channel)"); err != nil {
		return exchange.AsProblem(err)
	}
	ex.Header().Set("Content-Type", "text/html; charset=utf-8")
	ex.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(ex, "<!doctype html><title>Signed out</title>\n")
	return nil
}

// allowFraming lets the provider's own pages, and no others, show the response in a frame. The headers are
// the same whether or not somebody was signed in.
func (e *Endpoints) allowFraming(w http.ResponseWriter, r *http.Request, provider *oidc.Provider) {
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

// endNamed ends sessions, here at once. It is no error when one has ended meanwhile.
func (e *Endpoints) endNamed(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, sessions []caller.Session, reason string,
) error {
	for _, s := range sessions {
		revocation := mapping.Revocation{
			At: e.edge.Now(), Kind: mapping.RevokeSession, Account: s.AccountID,
			Session: s.ID, Reason: reason,
		}
		err := e.ender.End(r.Context(), revocation, "provider "+provider.Name())
		if errors.Is(err, mapping.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		e.edge.Record(ex, r, mapping.Event{
			Event: mapping.EventProviderLogout, Actor: "provider " + provider.Name(), Account: s.AccountID,
			Provider: provider.Name(), Reason: reason, CredentialID: s.ID,
		})
	}
	return nil
}

// channelParameters returns the parameters of the query and of a posted form. None may be repeated (C9).
func channelParameters(w http.ResponseWriter, r *http.Request, methods ...string) (url.Values, error) {
	allowed := false
	for _, m := range methods {
		allowed = allowed || r.Method == m
	}
	if !allowed {
		return nil, exchange.Refuse("method_not_allowed", "")
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxChannelBody)
	}
	if err := r.ParseForm(); err != nil {
		return nil, exchange.RefuseBecause("bad_request", "The parameters cannot be read.", err)
	}
	for _, values := range r.Form {
		if len(values) > 1 {
			return nil, exchange.Refuse("bad_request", "A parameter is repeated.")
		}
	}
	return r.Form, nil
}
