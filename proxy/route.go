package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

// route returns the route of a request, or an error when the gateway's table, deny_routes or the caller's
// scopes do not let it through.
func (p *Proxy) route(
	ex *exchange.Exchange, r *http.Request, table *vexa.Table, c *caller.Caller, v *caller.View,
) (vexa.Route, error) {
	ex.Label = "unknown"
	route, known := table.Lookup(r.Method, ex.Path)
	switch {
	case known:
		ex.Label, ex.Lasts = route.Pattern, route.Stream || route.WebSocket
	case vexa.Hidden(ex.Path), table == vexa.Routes(vexa.Gen010):
		// 0.12 refuses by itself what it doesn't know; 0.10 forwards it with no questions asked.
		return vexa.Route{}, exchange.Refuse("forbidden_route", "")
	}
	denied := v.Decision.Grant.DenyRoutes
	switch by := caller.Closed(denied, r.Method, ex.Path, route); {
	case by == "":
	case caller.DeniesRoute(denied, r.Method, ex.Path):
		return vexa.Route{}, exchange.Refuse("forbidden_route", "Your access to Vexa excludes this address.")
	default:
		return vexa.Route{}, exchange.Refuse("forbidden_route", "Vexa’s agent could call "+by+
			", which your access to Vexa excludes, so that you may not let it act.")
	}
	if known && !caller.Covers(v.Scopes, route) {
		return vexa.Route{}, &exchange.Problem{
			Code: "scope_missing", Detail: p.missing(ex.Site, c, v, route),
			Scopes: strings.Join(route.AnyOf, " "),
		}
	}
	return route, nil
}

// missing says which scope a route needs and who lacks it: the credential, or its owner; and then, to admins
// alone, which rules would grant it.
func (p *Proxy) missing(site *exchange.Site, c *caller.Caller, v *caller.View, route vexa.Route) string {
	said := "This needs the scope " + strings.Join(route.AnyOf, " or ") + ", which "
	if caller.Covers(v.Decision.Grant.Scopes, route) {
		switch {
		case c.Credential == caller.ByNativeKey:
			return said + "this Vexa key does not have. Make a token that has it at " + site.Origin +
				page.TokensPath + "."
		case c.Token.Kind == mapping.TokenTool:
			return said + "this tool was not given."
		}
		return said + "this token does not have. Make one that has it at " + site.Origin +
			page.TokensPath + "."
	}
	if c.Credential == caller.BySession || c.Account.Kind == oidc.Service {
		said += "you don’t have."
	} else {
		said += "the owner of this token doesn’t have."
	}
	if !v.Decision.Grant.Admin {
		return said // the names of rules are for those who write them
	}
	if rules := p.rules.Current().Granting(route.AnyOf...); len(rules) > 0 {
		said += " The rule " + strings.Join(rules, " or ") + " would give it."
	}
	return said
}
