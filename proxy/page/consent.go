package page

import (
	"net/http"
	"time"
)

const authorizePath = "/sso/oauth/authorize"

// Consent asks a person whether a tool may act for them.
type Consent struct {
	Tool   string // what people call it
	Client string // its client_id
	// host of the redirect URI; a loopback one is shown as a program on this computer
	RedirectHost string

	Person   string // whom it will act for
	Provider string // what people call the provider they are signed in through

	Scopes   []ScopeLine
	Lifetime time.Duration // at most, until they are asked again

	Fields  []Field  // hidden, posted with the answer
	Action  string   // the path of ours that the answer is posted to, as decision=allow or decision=deny
	Origins []string // form-action: where the post may be redirected to
}

// ScopeLine is a scope in words.
type ScopeLine struct {
	Name    string // Vexa's: bot, tx, browser
	Meaning string // default: ours
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Consent writes the consent page, with 200.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, v Consent) {
	if !ownPath(v.Action) {
		v.Action = authorizePath
	}
	p.write(w, r, sheet{
		template: "consent", status: http.StatusOK, posts: true, origins: v.Origins,
		Title: "Allow " + orTool(v.Tool) + "?",
		V: struct {
			Consent
			Tool      string
			Here      bool // the answer goes to a program on this computer
			Abilities []ability
			Lifetime  string
			Tokens    string
		}{
			v, orTool(v.Tool), loopback(v.RedirectHost), p.abilitiesOf(v.Scopes),
			lifetimeOf(v.Lifetime), TokensPath,
		},
	})
}

func (p *Pages) abilitiesOf(lines []ScopeLine) []ability {
	var all []ability
	for _, line := range lines {
		a := p.ability(line.Name)
		if line.Meaning != "" {
			a = ability{Scope: line.Name, Words: line.Meaning}
		}
		all = append(all, a)
	}
	return all
}

// orTool returns a tool's name, or "this tool".
func orTool(name string) string {
	if name == "" {
		return "this tool"
	}
	return name
}

func lifetimeOf(d time.Duration) string {
	if d < time.Minute {
		return ""
	}
	return wholeSpan(d)
}
