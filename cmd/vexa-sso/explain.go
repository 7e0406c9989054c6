package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
)

// explained is the JSON of `explain`.
type explained struct {
	mapping.Explanation
	Keys   []keyView   `json:"keys"`
	Routes []routeView `json:"routes"`

	generation string
}

// routeView is a route, as it is for one grant.
type routeView struct {
	Route  string   `json:"route"`
	Needs  []string `json:"needs"` // any of these scopes; none: any key will do
	Served bool     `json:"served"`
	// what changes something there is closed (deny_routes: [changes])
	OnlyReads bool   `json:"only_reads,omitempty"`
	Key       string `json:"key,omitempty"` // scope set of the key that it is served with
}

func newExplain() *cobra.Command {
	var d adminCommand
	var question struct{ claims, provider, account, email string }
	cmd := &cobra.Command{
		Use:   "explain --claims FILE | --account ACCOUNT | --email EMAIL",
		Short: "Say what somebody may do at Vexa, as whom, and why",
		Long: `Say what somebody may do at Vexa, as which user, and why: every rule, whether it
matched and why or why not; the grant that they add up to; the Vexa user; and which routes the key
of that grant serves. Rules on trial (shadow) are marked.

Ask about an account, as it proved itself last, or about claims that nobody has brought yet: the
payload of an ID token as JSON (- is the standard input), and the provider that it would come from.
Nothing is changed, and nobody is asked.

  vexa-sso explain --email ada@acme.example
  vexa-sso explain --provider okta --claims claims.json`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if given := count(question.claims, question.account, question.email); given != 1 {
			return usageError{errors.New("ask about one of --claims, --account and --email")}
		}
		cfg, err := d.load(cmd)
		if err != nil {
			return err
		}
		var e explained
		if question.claims != "" {
			e, err = explainClaims(cmd, cfg, question.provider, question.claims)
		} else {
			e, err = explainAccount(cmd.Context(), cfg, question.account+question.email)
		}
		if err != nil {
			return advise(err)
		}
		e.Routes, e.generation = routesOf(cfg.Vexa.Generation, e.Grant), cfg.Vexa.Generation
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), e)
		}
		return e.print(cmd.OutOrStdout())
	}
	d.flags(cmd, true)
	cmd.Flags().StringVar(&question.claims, "claims", "",
		"a `file` with the claims of an ID token; - is the standard input")
	cmd.Flags().StringVar(&question.provider, "provider", "",
		"the `name` of the provider that the claims come from")
	cmd.Flags().StringVar(&question.account, "account", "", "an `account`: an id or a subject")
	cmd.Flags().StringVar(&question.email, "email", "", "the `email` of an account")
	return cmd
}

func count(texts ...string) int {
	return len(slices.DeleteFunc(texts, func(s string) bool { return s == "" }))
}

func explainAccount(ctx context.Context, cfg *config.Config, who string) (e explained, err error) {
	a, err := bridge.OpenAdmin(ctx, cfg)
	if err != nil {
		return e, err
	}
	defer a.Close()
	acc, err := find(ctx, a, who)
	if err != nil {
		return e, err
	}
	return explainWith(ctx, a, acc.Identity)
}

// explainClaims needs no store: where there is none, accounts and pins are left out.
func explainClaims(cmd *cobra.Command, cfg *config.Config, provider, file string) (e explained, err error) {
	id, err := identityOf(cmd, cfg, provider, file)
	if err != nil {
		return e, err
	}
	a, err := bridge.OpenAdmin(cmd.Context(), cfg)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: without the store, accounts and pins are left out: %v\n", err)
		return explained{Explanation: mapping.Explain(cfg.RuleSet, id), Keys: []keyView{}}, nil
	}
	defer a.Close()
	return explainWith(cmd.Context(), a, id)
}

func explainWith(ctx context.Context, a *bridge.Admin, id oidc.Identity) (explained, error) {
	e, err := a.Accounts.Explain(ctx, id)
	if err != nil || e.Account == "" {
		return explained{Explanation: e, Keys: []keyView{}}, err
	}
	keys, err := a.Accounts.KeysOf(ctx, e.Account)
	return explained{Explanation: e, Keys: each(keys, owned(viewKey, mapping.Account{Identity: id}))}, err
}

// maxClaims is the greatest length of --claims, in bytes: that of a token.
const maxClaims = 64 << 10

// identityOf returns the identity of claims, by the same code as at a sign-in.
func identityOf(cmd *cobra.Command, cfg *config.Config, name, file string) (id oidc.Identity, err error) {
	i := slices.IndexFunc(cfg.Providers, func(c oidc.Config) bool {
		return c.Name == name || name == "" && len(cfg.Providers) == 1
	})
	if i < 0 {
		names := each(cfg.Providers, func(c oidc.Config) string { return c.Name })
		return id, usageError{fmt.Errorf("say with --provider whose claims they are: %s",
			strings.Join(names, ", "))}
	}
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return id, fmt.Errorf("reading the claims: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxClaims+1))
	if err != nil {
		return id, fmt.Errorf("reading the claims: %w", err)
	}
	if len(text) > maxClaims || !json.Valid(text) {
		return id, fmt.Errorf("the claims are not one JSON object of at most %d KiB: give the payload of "+
			"an ID token, decoded", maxClaims>>10)
	}
	provider, err := oidc.New(cfg.Providers[i], oidc.Env{})
	if err != nil {
		return id, err
	}
	defer provider.Close()
	if id, err = provider.IdentityOf(text); err != nil {
		if refused, ok := errors.AsType[*oidc.Error](err); ok {
			return id, fmt.Errorf("signing in would be refused: %w: %s", err, refused.Remedy)
		}
	}
	return id, err
}

// routesOf returns the route table for a grant; nil grants none.
func routesOf(generation string, grant *mapping.GrantView) []routeView {
	var have rule.Scopes
	var closed []string
	if grant != nil {
		have, closed = rule.NewScopes(grant.Scopes...), grant.DenyRoutes
	}
	routes := []routeView{}
	for _, line := range vexa.Routes(generation).Lines() {
		v := routeView{
			Route: strings.TrimSpace(strings.Join(line.Methods, ",") + " " + line.Pattern),
			Needs: append([]string{}, line.AnyOf...),
		}
		v.Served = have != "" && (line.NoScope || slices.ContainsFunc(line.AnyOf, have.Has)) &&
			!slices.Contains(closed, v.Route) && !closes(closed, line)
		if slices.Contains(closed, rule.DenyChanges) {
			v.OnlyReads = v.Served && line.Changes()
			v.Served = v.Served && (line.Reads() || !line.Changes())
		}
		if v.Served {
			v.Key = string(have)
		}
		routes = append(routes, v)
	}
	return routes
}

// closes reports whether deny_routes close every method of a line of the table.
func closes(denied []string, line vexa.Line) bool {
	return len(line.Methods) > 0 && !slices.ContainsFunc(line.Methods, func(method string) bool {
		return caller.Closed(denied, method, line.Pattern, line.Route) == ""
	})
}

func (e explained) print(w io.Writer) error {
	t := newTable(w)
	verdict := "allowed"
	if !e.Allowed {
		verdict = "refused: " + e.Reason + " (" + e.Code + ")"
	}
	email := e.Identity.Email
	if email == "" && e.Identity.UnprovenEmail != "" {
		email = e.Identity.UnprovenEmail + " (unproven)"
	}
	groups := strings.Join(e.Identity.Groups, ", ")
	if !e.Identity.GroupsComplete {
		groups += " (not complete: " + e.Identity.GroupsProblem + ")"
	}
	for _, line := range [][2]string{
		{"identity", e.Identity.Subject},
		{"kind", string(e.Identity.Kind)},
		{"email", email},
		{"groups", groups},
		{"roles", strings.Join(e.Identity.Roles, ", ")},
		{"account", strings.TrimSpace(e.Account + " " + string(e.Status) + " " + e.Waits)},
		{"verdict", verdict},
	} {
		if line[1] != "" {
			t.row(line[0], line[1])
		}
	}
	e.printGrant(t)
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := e.printRules(w); err != nil {
		return err
	}
	if len(e.Keys) > 0 {
		fmt.Fprintln(w)
		if err := printRows(w, keyHeading, e.Keys, keyView.row); err != nil {
			return err
		}
	}
	return e.printRoutes(w)
}

func (e explained) printGrant(t *table) {
	if e.VexaEmail != "" {
		user := e.VexaEmail
		if e.VexaUserID != 0 {
			user = strconv.FormatInt(e.VexaUserID, 10) + " " + user
		}
		t.row("vexa user", user+" ("+e.VexaWhy+")")
	}
	g := e.Grant
	if g == nil {
		return
	}
	t.row("scopes", strings.Join(g.Scopes, ", "))
	for _, scope := range g.Scopes {
		words, more := vexa.Routes(e.generation).Ability(scope).Words()
		t.row("scope "+scope, strings.TrimSuffix(words+". "+more, ". ")+".")
	}
	bots := "as Vexa has it"
	if g.MaxConcurrentBots != nil {
		bots = strconv.Itoa(*g.MaxConcurrentBots)
	}
	t.row("max concurrent bots", bots)
	t.row("admin", map[bool]string{true: "yes", false: "no"}[g.Admin])
	t.row("keys live", g.KeyLifetime)
	if len(g.DenyRoutes) > 0 {
		t.row("closed routes", strings.Join(g.DenyRoutes, ", "))
	}
	if len(g.DenyTools) > 0 {
		t.row("closed tools", strings.Join(g.DenyTools, ", "))
	}
}

func (e explained) printRules(w io.Writer) error {
	t := newTable(w, "RULE", "DOES", "MATCHED", "WHY")
	for _, r := range e.Rules {
		does := map[bool]string{true: "deny", false: "grant"}[r.Deny]
		if r.Shadow {
			does += " (shadow)"
		}
		t.row(r.Rule, does, map[bool]string{true: "yes", false: "no"}[r.Matched], r.Why)
	}
	return t.print()
}

// printRoutes prints the routes, and which key serves each.
func (e explained) printRoutes(w io.Writer) error {
	if e.Grant == nil {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "ROUTE", "NEEDS", "SERVED BY THE KEY OF")
	for _, r := range e.Routes {
		needs := strings.Join(r.Needs, " or ")
		if needs == "" {
			needs = "any key"
		}
		key := r.Key
		if r.Served && r.OnlyReads {
			key += " (to read)"
		}
		t.row(r.Route, needs, key)
	}
	return t.print()
}
