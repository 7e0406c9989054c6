package proxy

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// handler answers a request of ours; an error becomes a page or JSON in one place.
type handler func(ex *exchange, r *http.Request) error

// put puts an answer of ours under a pattern.
func (p *Proxy) put(pattern string, h handler) {
	p.own.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ex := w.(*exchange) // ServeHTTP is the only way in
		err := h(ex, r)
		if err != nil {
			err = p.signInInstead(ex, r, err)
		}
		if err != nil {
			p.answerProblem(ex, r, err)
		}
	})
}

// isOurs says whether an address is one of ours, not of Vexa's: all under /sso/, and what was put under /.well-known/.
func (p *Proxy) isOurs(ex *exchange, r *http.Request) bool {
	if strings.HasPrefix(ex.path, "/.well-known/") {
		_, pattern := p.own.Handler(r)
		return pattern != ""
	}
	return ex.path == "/sso" || strings.HasPrefix(ex.path, "/sso/")
}

// ownPages is everything that the edge itself has under /sso/.
func (p *Proxy) ownPages() {
	p.put("/sso/{$}", p.home)
	p.put("/sso/whoami", p.whoami)
	p.put("/sso/login", p.login)
	p.put("/sso/callback/{provider}", p.callback)
	p.put("/sso/logout", p.logout)
	p.put("/sso/logout/frontchannel/{provider}", p.frontChannelLogout)
	p.put("/sso/logout/backchannel/{provider}", p.backChannelLogout)
	p.put("/sso/logout/universal/{provider}", p.universalLogout)
	p.put(signedOutPath, p.signedOut)
	p.put("/sso/healthz", p.healthz)
	p.put("/sso/readyz", p.readyz)
	p.put("/sso/", func(*exchange, *http.Request) error { return refuse("not_found", "") })
	p.put("/sso", func(ex *exchange, _ *http.Request) error {
		redirect(ex, "/sso/")
		return nil
	})
	p.own.Handle(page.AssetsPath, p.pages.Assets())
}

// home says who the person is, what they may do, and why.
func (p *Proxy) home(ex *exchange, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse("method_not_allowed", "")
	}
	c, err := p.identify(ex, r)
	if err != nil {
		return err
	}
	if p.passByProvider(ex, r, c) {
		return nil
	}
	p.pages.Home(ex, r, p.homePage(r.Context(), c))
	return nil
}

func (p *Proxy) homePage(ctx context.Context, c *caller) page.Home {
	d := p.see(c).decision
	v := page.Home{
		Name: c.account.Identity.Name, Email: c.account.Identity.Email, Account: c.account.ID, Subject: c.account.Subject, Provider: c.session.Provider,
		Since: c.session.CreatedAt, Until: c.session.ExpiresAt, Idle: p.cfg.Session.Idle,
		Notices: p.notices(c, d), Scopes: d.Grant.Scopes.List(), MaxBots: d.Grant.MaxConcurrentBots, Admin: d.Grant.Admin, Denied: d.Grant.DenyRoutes,
	}
	if mayUse(c.account, d) == nil {
		v.Links = append(v.Links, p.tokensLink(ctx, c.account.ID))
	}
	for _, rule := range d.Rules {
		if !rule.Matched && !d.Grant.Admin {
			continue // which groups others are in is for admins to know
		}
		v.Rules = append(v.Rules, page.Rule{Name: rule.Rule, Deny: rule.Deny, Matched: rule.Matched, Why: rule.Why})
	}
	if provider := p.provider(c.session.Provider); provider != nil {
		v.Provider = provider.Title()
		ctx, cancel := context.WithTimeout(ctx, providerPatience)
		defer cancel()
		v.EndsProviderSession = p.endsAtProvider(ctx, provider, c.session)
		v.FormActionOrigins = provider.Origins(ctx)
	}
	return v
}

// providerPatience is how long somebody who is signed in, or signs out, waits to hear from a provider that they can do without (S10).
const providerPatience = 500 * time.Millisecond

func (p *Proxy) endsAtProvider(ctx context.Context, provider *oidc.Provider, s Session) bool {
	idToken, _ := p.openIDToken(s) // an unreadable one is reported at sign-out
	_, ok := provider.EndSession(ctx, idToken, s.LogoutHint, p.origin+signedOutPath)
	return ok
}

// notices are what a person needs to know before all else.
func (p *Proxy) notices(c *caller, d rule.Decision) []page.Notice {
	if err := mayUse(c.account, d); err != nil {
		pr := asProblem(err)
		o := outcomes[pr.Code]
		detail := pr.Detail
		if detail == "" {
			detail = o.Detail
		}
		return []page.Notice{{Level: page.Refusal, Title: o.Title, Text: detail}}
	}
	return nil
}

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

// list is s as JSON wants it: never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (p *Proxy) problemPage(ex *exchange, pr *problem, o outcome) page.Problem {
	v := page.Problem{
		Status: o.Status, Title: o.Title, Sentence: pr.Detail, Next: o.Next, Facts: pr.Facts, Actions: pr.Actions,
		Code: string(pr.Code), TraceID: ex.traceID,
	}
	if pr.Code == "denied_by_rule" { // an admin's own words stand apart from ours
		v.Sentence, v.Reason = o.Detail, pr.Detail
	}
	if len(v.Actions) == 0 {
		v.Actions = []page.Link{{Label: "Go to the start page", Href: "/sso/"}}
		if o.Status == http.StatusUnauthorized {
			v.Actions = []page.Link{{Label: "Sign in", Href: loginPath(returnPath(ex.here()), pr.Afresh)}}
		}
	}
	return v
}
