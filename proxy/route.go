package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// route finds the route that a request takes and whether what the caller may use covers it.
func (p *Proxy) route(ex *exchange, r *http.Request, v *view) error {
	ex.label = "unknown"
	table := p.routes()
	route, known := table.Lookup(r.Method, ex.path)
	switch {
	case known:
		ex.route, ex.label = route, route.Pattern
	case vexa.Hidden(ex.path), table == vexa.Routes(vexa.Gen010):
		// 0.12 refuses by itself what it doesn't know; 0.10 forwards it with no questions asked.
		return refuse("forbidden_route", "")
	}
	if deniesRoute(v.decision.Grant.DenyRoutes, r.Method, ex.path) {
		return refuse("forbidden_route", "Your access to Vexa excludes this address.")
	}
	if known && !covers(v.scopes, route) {
		return &problem{Code: "scope_missing", Detail: p.missing(ex.caller, v, route), Scopes: strings.Join(route.AnyOf, " ")}
	}
	return nil
}

// missing says which scope a route needs and who lacks it: the credential, or its owner, to whom some rule would give it.
func (p *Proxy) missing(c *caller, v *view, route vexa.Route) string {
	said := "This needs the scope " + strings.Join(route.AnyOf, " or ") + ", which "
	if covers(v.decision.Grant.Scopes, route) {
		switch {
		case c.credential == byNativeKey:
			return said + "this Vexa key does not have. Make a token that has it at " + p.origin + page.TokensPath + "."
		case c.token.Kind == mapping.TokenTool:
			return said + "this tool was not given."
		}
		return said + "this token does not have. Make one that has it at " + p.origin + page.TokensPath + "."
	}
	if c.credential == bySession || c.account.Kind == oidc.Service {
		said += "you don’t have."
	} else {
		said += "the owner of this token doesn’t have."
	}
	if rules := p.rules.Current().Granting(route.AnyOf...); len(rules) > 0 {
		said += " The rule " + strings.Join(rules, " or ") + " would give it."
	}
	return said
}
