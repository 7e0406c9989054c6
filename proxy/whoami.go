package proxy

import (
	"cmp"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// whoami is the start page as JSON.
func (p *Proxy) whoami(ex *exchange.Exchange, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return exchange.Refuse("method_not_allowed", "")
	}
	c, err := p.callers.Identify(ex, r)
	if err != nil {
		return err
	}
	v := p.callers.View(ex, c)
	d, id := v.Decision, c.Account.Identity
	exchange.WriteJSON(ex, http.StatusOK, struct {
		Account    string         `json:"account"`
		Status     mapping.Status `json:"status"`
		Provider   string         `json:"provider"`
		Subject    string         `json:"subject"`
		Email      string         `json:"email"`
		Name       string         `json:"name"`
		Kind       oidc.Kind      `json:"kind"`
		Rules      []string       `json:"rules"`
		Scopes     []string       `json:"scopes"`
		MaxBots    *int           `json:"max_concurrent_bots"`
		Admin      bool           `json:"admin"`
		Credential credentialJSON `json:"credential"`
		Session    *sessionJSON   `json:"session,omitempty"`
	}{
		c.Account.ID, c.Account.Status, c.Account.Provider, c.Account.Subject, id.Email, id.Name, id.Kind,
		exchange.List(d.Matched()), exchange.List(v.Scopes.List()), d.Grant.MaxConcurrentBots, d.Grant.Admin,
		credentialJSONOf(c), sessionJSONOf(c),
	})
	return nil
}

// sessionJSON is a session as whoami shows it.
type sessionJSON struct {
	ID        string    `json:"id"`
	Since     time.Time `json:"since"`
	LastSeen  time.Time `json:"last_seen"`
	ExpiresAt time.Time `json:"expires_at"`
}

func sessionJSONOf(c *caller.Caller) *sessionJSON {
	if c.Credential != caller.BySession {
		return nil
	}
	return &sessionJSON{c.Session.ID, c.Session.CreatedAt.UTC(), c.Seen().UTC(), c.Session.ExpiresAt.UTC()}
}

// credentialJSON is the credential of the request as whoami shows it.
type credentialJSON struct {
	Kind      string            `json:"kind"` // session | token | bearer | native
	ID        string            `json:"id,omitempty"`
	Type      mapping.TokenKind `json:"type,omitempty"`   // of a token of ours
	Name      string            `json:"name,omitempty"`   // …
	Client    string            `json:"client,omitempty"` // client_id of the program, where that is known
	Scopes    []string          `json:"scopes,omitempty"` // at most; those of now are in the outer scopes
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
}

func credentialJSONOf(c *caller.Caller) credentialJSON {
	said := credentialJSON{
		Kind: c.Credential, ID: c.CredentialID, Type: c.Token.Kind, Name: c.Token.Name,
		Client: cmp.Or(c.Token.Client, c.Access.ClientID), Scopes: c.AtMost.List(),
	}
	if !c.Expires.IsZero() {
		at := c.Expires.UTC()
		said.ExpiresAt = &at
	}
	return said
}
