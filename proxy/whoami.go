package proxy

import (
	"cmp"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// whoami is home for programs.
func (p *Proxy) whoami(ex *exchange, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse("method_not_allowed", "")
	}
	c, err := p.identify(ex, r)
	if err != nil {
		return err
	}
	v := p.see(c)
	d, id := v.decision, c.account.Identity
	writeJSON(ex, http.StatusOK, struct {
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
		Credential saidCredential `json:"credential"`
		Session    *saidSession   `json:"session,omitempty"`
	}{
		c.account.ID, c.account.Status, c.account.Provider, c.account.Subject, id.Email, id.Name, id.Kind,
		list(d.Matched()), list(v.scopes.List()), d.Grant.MaxConcurrentBots, d.Grant.Admin, sayCredential(c), saySession(c),
	})
	return nil
}

// saidSession is what whoami says of a session.
type saidSession struct {
	ID        string    `json:"id"`
	Since     time.Time `json:"since"`
	LastSeen  time.Time `json:"last_seen"`
	ExpiresAt time.Time `json:"expires_at"`
}

func saySession(c *caller) *saidSession {
	if c.credential != bySession {
		return nil
	}
	return &saidSession{c.session.ID, c.session.CreatedAt.UTC(), time.Unix(c.seen.Load(), 0).UTC(), c.session.ExpiresAt.UTC()}
}

// saidCredential is what whoami says of the credential that it was asked with.
type saidCredential struct {
	Kind      string            `json:"kind"` // session | token | bearer | native
	ID        string            `json:"id,omitempty"`
	Type      mapping.TokenKind `json:"type,omitempty"`   // of a token of ours
	Name      string            `json:"name,omitempty"`   // …
	Client    string            `json:"client,omitempty"` // the program that shows it, where that is known
	Scopes    []string          `json:"scopes,omitempty"` // at most; what it may now is in scopes beside it
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
}

func sayCredential(c *caller) saidCredential {
	said := saidCredential{
		Kind: c.credential, ID: c.credentialID, Type: c.token.Kind, Name: c.token.Name,
		Client: cmp.Or(c.token.Client, c.access.ClientID), Scopes: c.atMost.List(),
	}
	if !c.expires.IsZero() {
		at := c.expires.UTC()
		said.ExpiresAt = &at
	}
	return said
}
