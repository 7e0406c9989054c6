package page

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Home is the start page: who a signed-in person is, what they may do, and why.
type Home struct {
	Name, Email string
	Account     string // our id of the account
	Subject     string // the canonical subject, for an admin who asks; optional
	Provider    string // what people call the provider

	Since time.Time     // when they signed in
	Until time.Time     // when the session ends at the latest
	Idle  time.Duration // after how long without use it ends earlier; zero: it doesn't

	Notices []Notice // at the top of the page
	Scopes  []string // Vexa's names: bot, tx, browser
	MaxBots *int     // how many bots at a time; nil: what Vexa has set
	// routes and tools that the scopes would allow and a rule takes away: "PUT /user/webhook", "delete_*"
	Denied    []string
	OnlyReads bool // a rule takes away everything that changes something
	Admin     bool
	Rules     []Rule // those that matched and, for admins, those that did not
	Links     []Link // to other pages

	// EndsProviderSession says that signing out ends the session at the provider too. FormActionOrigins are
	// the origins that signing out may then be redirected to: that of the provider's end-session endpoint.
	EndsProviderSession bool
	FormActionOrigins   []string
}

// Rule is the effect of one rule on a person.
type Rule struct {
	Name    string
	Deny    bool
	Matched bool
	Why     string
}

// Notice is a box at the top of a page.
type Notice struct {
	Level Level
	Title string // "Vexa cannot be reached right now"
	Text  string
}

// Level is the severity of a notice.
type Level string

const (
	Info    Level = "info"    // good to know
	Warning Level = "warning" // something does not work, for now
	Refusal Level = "refusal" // nothing works until somebody acts
)

// Home writes the page of a signed-in person, with 200.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request, v Home) {
	v.Links = allowedLinks(v.Links)
	now := p.now()
	p.write(w, r, sheet{
		template: "home", status: http.StatusOK, posts: true, origins: v.FormActionOrigins,
		Title: "Your access", Wide: true,
		V: struct {
			Home
			Who, Initial     string
			Since, Until     moment
			IdleFor          string
			Abilities        []ability
			BotLimit         string
			Matched, Skipped []Rule
			SignOut          string
		}{
			Home: v, Who: who(v), Initial: initial(who(v)),
			Since: momentOf(v.Since, now), Until: momentOf(v.Until, now), IdleFor: idleFor(v.Idle),
			Abilities: p.abilities(v.Scopes), BotLimit: botLimit(v.MaxBots),
			Matched: rulesThat(true, v.Rules), Skipped: rulesThat(false, v.Rules),
			SignOut: logoutPath,
		},
	})
}

// who returns what we call the person: their name if the provider gave one.
func who(v Home) string {
	for _, s := range []string{v.Name, v.Email, v.Account} {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return "you"
}

func initial(name string) string {
	first, _ := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first))
}

func idleFor(d time.Duration) string {
	if d < time.Minute {
		return ""
	}
	return span(d)
}

// ability is a scope in words.
type ability struct {
	Scope, Words, More string
}

func (p *Pages) abilities(scopes []string) []ability {
	var all []ability
	for _, scope := range scopes {
		all = append(all, p.ability(scope))
	}
	return all
}

func (p *Pages) ability(scope string) ability {
	words, note := p.scope(scope)
	return ability{Scope: scope, Words: words, More: note}
}

func botLimit(most *int) string {
	switch {
	case most == nil:
		return ""
	case *most == 0:
		return "No bots may run at the moment: your limit is 0."
	case *most == 1:
		return "One bot at a time."
	default:
		return fmt.Sprintf("Up to %d bots at the same time.", *most)
	}
}

func rulesThat(matched bool, rules []Rule) []Rule {
	var some []Rule
	for _, r := range rules {
		if r.Matched == matched {
			some = append(some, r)
		}
	}
	return some
}
