package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// Explanation says what an identity may do at Vexa, as whom, and why.
type Explanation struct {
	Identity oidc.Identity `json:"identity"`

	Account string `json:"account,omitempty"` // empty: it has none yet
	Status  Status `json:"status,omitempty"`
	Waits   string `json:"status_reason,omitempty"` // why it is pending or suspended

	Allowed bool          `json:"allowed"`
	Code    string        `json:"code,omitempty"`   // why not, for programs
	Reason  string        `json:"reason,omitempty"` // and for people
	Rules   []rule.Result `json:"rules"`
	Grant   *GrantView    `json:"grant,omitempty"`

	VexaEmail  string `json:"vexa_email,omitempty"`
	VexaUserID int64  `json:"vexa_user_id,omitempty"`  // 0 until the account is bound
	VexaWhy    string `json:"vexa_user_why,omitempty"` // why this user
}

// GrantView is a grant as it is shown.
type GrantView struct {
	Scopes            []string `json:"scopes"`
	MaxConcurrentBots *int     `json:"max_concurrent_bots,omitempty"`
	Admin             bool     `json:"admin"`
	KeyLifetime       string   `json:"key_lifetime"`
	DenyRoutes        []string `json:"deny_routes"`
	DenyTools         []string `json:"deny_tools"`
}

func viewGrant(g rule.Grant) *GrantView {
	return &GrantView{
		Scopes: append([]string{}, g.Scopes.List()...), MaxConcurrentBots: g.MaxConcurrentBots,
		Admin:       g.Admin,
		KeyLifetime: rule.FormatDuration(g.KeyLifetime), DenyRoutes: append([]string{}, g.DenyRoutes...),
		DenyTools: append([]string{}, g.DenyTools...),
	}
}

// Explain says what an identity may do and why: by the rules alone. [Accounts.Explain] knows its account and
// its pin besides.
func Explain(rules *rule.Rules, id oidc.Identity) Explanation {
	return explain(rules, id, Account{}, Pin{})
}

// Explain says what an identity may do and why, by the rules now in force, its account and what an admin has
// pinned.
func (a *Accounts) Explain(ctx context.Context, id oidc.Identity) (Explanation, error) {
	var acc Account
	var pin Pin
	err := a.store.View(ctx, func(tx Tx) (err error) {
		if pin, err = pinOf(tx, id.Subject); err != nil {
			return err
		}
		if acc, err = tx.AccountBySubject(id.Subject); errors.Is(err, ErrNotFound) {
			acc, err = Account{}, nil
		}
		return err
	})
	if err != nil {
		return Explanation{}, asError(fmt.Errorf("look for the account: %w", err))
	}
	return explain(a.rules.Current(), id, acc, pin), nil
}

func explain(rules *rule.Rules, id oidc.Identity, acc Account, pin Pin) Explanation {
	d := rules.DecidePinned(id, pin.VexaEmail)
	e := Explanation{
		Identity: id, Account: acc.ID, Status: acc.Status, Waits: acc.Reason, Allowed: d.Allowed,
		Code: d.Code, Reason: d.Reason, Rules: d.Rules,
	}
	if d.Allowed {
		e.Grant = viewGrant(d.Grant)
	}
	switch {
	case pin.VexaEmail != "":
		e.VexaEmail, e.VexaUserID, e.VexaWhy = pin.VexaEmail, pin.VexaUserID, "pinned by "+pin.Actor
	case acc.Bound():
		e.VexaEmail, e.VexaUserID, e.VexaWhy = acc.VexaEmail, acc.VexaUserID,
			"bound to it, whatever rules say by now"
	case d.Allowed && d.Grant.VexaEmailComputed:
		e.VexaEmail, e.VexaWhy = d.Grant.VexaEmail,
			"named by a rule; one that exists already waits for an admin"
	case d.Allowed:
		e.VexaEmail, e.VexaWhy = d.Grant.VexaEmail, "the identity's own proven email"
	}
	return e
}

// What becomes of an account when other rules come into force.
const (
	Gains   = "gains"   // had nothing
	Loses   = "loses"   // has nothing any more
	Changes = "changes" // has something else
)

// GrantChange is what other rules mean for one account.
type GrantChange struct {
	Account  string   `json:"account"`
	Provider string   `json:"provider"`
	Subject  string   `json:"subject"`
	Email    string   `json:"email,omitempty"`
	Status   Status   `json:"status"`
	Change   string   `json:"change"` // gains, loses or changes
	What     []string `json:"what"`   // in words
}

// CompareRules says for which accounts other rules give something else, by the identity that each proved
// last. Accounts for which nothing changes are left out.
func CompareRules(accounts []Account, was, is *rule.Rules) []GrantChange {
	changes := []GrantChange{}
	for _, acc := range accounts {
		before, after := acc.decide(was), acc.decide(is)
		c := GrantChange{
			Account: acc.ID, Provider: acc.Provider, Subject: acc.Subject, Email: emailOf(acc),
			Status: acc.Status,
		}
		switch {
		case !before.Allowed && !after.Allowed:
			continue
		case !before.Allowed:
			by := "by " + strings.Join(after.Matched(), ", ")
			c.Change, c.What = Gains, []string{describeGrant(after.Grant), by}
		case !after.Allowed:
			c.Change, c.What = Loses, []string{describeGrant(before.Grant), after.Reason}
		default:
			c.Change, c.What = Changes, compareGrants(acc, before.Grant, after.Grant)
			if len(c.What) == 0 {
				continue
			}
		}
		changes = append(changes, c)
	}
	return changes
}

func describeGrant(g rule.Grant) string {
	text := string(g.Scopes)
	if g.Admin {
		text += ", admin"
	}
	return text
}

// compareGrants says in words what is different.
func compareGrants(acc Account, was, is rule.Grant) (what []string) {
	differ := func(name, before, after string) {
		if before != after {
			what = append(what, fmt.Sprintf("%s %s -> %s", name, before, after))
		}
	}
	differ("scopes", string(was.Scopes), string(is.Scopes))
	differ("max_concurrent_bots", describeBots(was), describeBots(is))
	differ("admin", strconv.FormatBool(was.Admin), strconv.FormatBool(is.Admin))
	differ("key_lifetime", rule.FormatDuration(was.KeyLifetime), rule.FormatDuration(is.KeyLifetime))
	for _, route := range without(closedBy(is), closedBy(was)) {
		what = append(what, "closes "+route)
	}
	for _, route := range without(closedBy(was), closedBy(is)) {
		what = append(what, "opens "+route)
	}
	if !acc.Bound() { // else it stays where it is
		differ("vexa_email", was.VexaEmail, is.VexaEmail)
	}
	return what
}

// closedBy names the routes and the tools that a grant closes.
func closedBy(g rule.Grant) []string {
	closed := slices.Clone(g.DenyRoutes)
	for _, tool := range g.DenyTools {
		closed = append(closed, "the tool "+tool)
	}
	return closed
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(one string) bool { return slices.Contains(b, one) })
}

func describeBots(g rule.Grant) string {
	if g.MaxConcurrentBots == nil {
		return "Vexa's own"
	}
	return strconv.Itoa(*g.MaxConcurrentBots)
}
