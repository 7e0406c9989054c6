package proxy

import (
	"context"
	"net/http"

	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/page"
)

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
