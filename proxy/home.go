package proxy

import (
	"context"
	"net/http"
	"slices"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
	"vexa-sso/proxy/signin"
)

// home is what the start page shows besides its caller.
type home struct {
	idle      time.Duration // idle timeout of a session
	providers oidc.Providers
	links     []func(ctx context.Context, account string) page.Link
}

// Link adds a link to the start page of everybody who may use Vexa. It must be called before the first
// request is served.
func (p *Proxy) Link(to func(ctx context.Context, account string) page.Link) {
	p.home.links = append(p.home.links, to)
}

// showHome is the start page: who the person is, what they may do, and why.
func (p *Proxy) showHome(ex *exchange.Exchange, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return exchange.Refuse("method_not_allowed", "")
	}
	c, err := p.callers.Identify(ex, r)
	if err != nil {
		return err
	}
	if p.signIn.PassByProvider(ex, r, c) {
		return nil
	}
	p.edge.Pages.Home(ex, r, p.homePage(r.Context(), ex, c))
	return nil
}

func (p *Proxy) homePage(ctx context.Context, ex *exchange.Exchange, c *caller.Caller) page.Home {
	d := p.callers.View(ex, c).Decision
	v := page.Home{
		Name: c.Account.Identity.Name, Email: c.Account.Identity.Email, Account: c.Account.ID,
		Subject: c.Account.Subject, Provider: c.Session.Provider,
		Since: c.Session.CreatedAt, Until: c.Session.ExpiresAt, Idle: p.home.idle,
		Notices: notices(c, d), Scopes: d.Grant.Scopes.List(), MaxBots: d.Grant.MaxConcurrentBots,
		Admin: d.Grant.Admin, OnlyReads: slices.Contains(d.Grant.DenyRoutes, rule.DenyChanges),
	}
	for _, closed := range slices.Concat(d.Grant.DenyRoutes, d.Grant.DenyTools) {
		if closed != rule.DenyChanges {
			v.Denied = append(v.Denied, closed)
		}
	}
	if caller.MayUse(c.Account, d) == nil {
		for _, link := range p.home.links {
			v.Links = append(v.Links, link(ctx, c.Account.ID))
		}
	}
	for _, r := range d.Rules {
		if !r.Matched && !d.Grant.Admin {
			continue // which groups others are in is for admins to know
		}
		v.Rules = append(v.Rules,
			page.Rule{Name: r.Rule, Deny: r.Deny, Matched: r.Matched, Why: r.Why})
	}
	if provider := p.home.providers.ByName(c.Session.Provider); provider != nil {
		v.Provider = provider.Title()
		ctx, cancel := context.WithTimeout(ctx, signin.ProviderPatience)
		defer cancel()
		v.EndsProviderSession = p.signIn.EndsAtProvider(ctx, ex.Site, provider, c.Session)
		v.FormActionOrigins = provider.Origins(ctx)
	}
	return v
}

// notices are what stands at the top of the start page: why somebody may not use Vexa.
func notices(c *caller.Caller, d rule.Decision) []page.Notice {
	if err := caller.MayUse(c.Account, d); err != nil {
		pr := exchange.AsProblem(err)
		return []page.Notice{{Level: page.Refusal, Title: pr.Title(), Text: pr.Sentence()}}
	}
	return nil
}
