package page

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// TokensPath is the path of the page and of its forms.
const TokensPath = "/sso/tokens"

// Tokens is the page of a person's tokens: those they made for programs, and those of the tools they let in.
type Tokens struct {
	Notices  []Notice // at the top
	Personal []Token  // newest first
	Tools    []Token  // newest first

	Form *TokenForm // nil: none can be made now; a notice says why
}

// Token is one token as its owner sees it. Its value is no part of it: nobody can see that again.
type Token struct {
	ID      string
	Name    string   // what its owner, or the tool, calls it
	Scopes  []string // what it may do now
	Idle    []string // scopes that its owner does not have now
	Created time.Time
	Expires time.Time

	Used     time.Time // zero: never
	UsedFrom string    // an address
}

// TokenForm is the form for a new token, empty or as it was sent. It posts to TokensPath: once, name, scope
// (each that is chosen) and expires_in, in seconds. A Problem stands beside its field.
type TokenForm struct {
	Once string // idempotency key: a form that is sent twice makes one token

	Name        string
	NameProblem string
	MaxName     int // characters

	Scopes        []ScopeChoice
	ScopesProblem string

	Lifetimes       []LifetimeChoice
	LifetimeProblem string

	Problem string // with the form as a whole

	// SignInFirst says that the sign-in is not fresh enough: sending the form leads to the provider first.
	SignInFirst bool
	Provider    string // what people call it
}

// ScopeChoice is a scope that may be chosen.
type ScopeChoice struct {
	Name   string // Vexa's: bot, tx, browser
	Chosen bool
}

// LifetimeChoice is how long a token may be good for.
type LifetimeChoice struct {
	Lifetime time.Duration
	Chosen   bool
}

// Tokens writes the page of a person's tokens: with 200, or with 422 when the form has a problem.
func (p *Pages) Tokens(w http.ResponseWriter, r *http.Request, v Tokens) {
	now := p.now()
	status, title := http.StatusOK, "Tokens and tools"
	form := p.tokenFormOf(v.Form, now)
	if form != nil && form.wrong() {
		// the first thing that a screen reader says
		status, title = http.StatusUnprocessableEntity, "Error: "+title
	}
	p.write(w, r, sheet{
		template: "tokens", status: status, posts: true, Title: title, Wide: true,
		V: struct {
			Notices         []Notice
			Personal, Tools []tokenLine
			Form            *tokenForm
			Action          string
		}{v.Notices, p.personalLines(v.Personal, now), p.toolLines(v.Tools, now), form, TokensPath},
	})
}

// tokenLine is a token in words.
type tokenLine struct {
	Token
	Created, Expires, Used moment
	Never, Soon, Over      bool // was never used; is about to expire; has expired
	Abilities              []ability

	Anchor         string // its id on the page
	Revoke         string // where the form that revokes it goes
	Button, Effect string // of that form
	Began          string // label of Created
}

// soon is how long before its expiry a token says so.
const soon = 7 * 24 * time.Hour

func (p *Pages) personalLines(tokens []Token, now time.Time) []tokenLine {
	return p.tokenLines(tokens, now, tokenLine{
		Anchor: "personal", Began: "Made", Button: "Revoke token",
		Effect: "Whatever uses this token stops working at once.",
	})
}

func (p *Pages) toolLines(tokens []Token, now time.Time) []tokenLine {
	return p.tokenLines(tokens, now, tokenLine{
		Anchor: "tool", Began: "Signed in", Button: "Sign out tool",
		Effect: "The tool is signed out at once, and has to ask you again.",
	})
}

func (p *Pages) tokenLines(tokens []Token, now time.Time, like tokenLine) []tokenLine {
	var lines []tokenLine
	for i, t := range tokens {
		left := t.Expires.Sub(now)
		lines = append(lines, tokenLine{
			Token: t, Created: momentOf(t.Created, now),
			Expires: momentOf(t.Expires, now), Used: momentOf(t.Used, now),
			Never: t.Used.IsZero(), Soon: left > 0 && left <= soon && left < t.Expires.Sub(t.Created)/2,
			Over: left <= 0, Abilities: p.abilities(t.Scopes), Anchor: like.Anchor + "-" + strconv.Itoa(i),
			Revoke: TokensPath + "/" + url.PathEscape(t.ID) + "/revoke", Button: like.Button,
			Effect: like.Effect, Began: like.Began,
		})
	}
	return lines
}

// tokenForm is a form in words.
type tokenForm struct {
	TokenForm
	Scopes    []scopeOption
	Lifetimes []lifetimeOption
}

type scopeOption struct {
	ability
	Chosen bool
}

type lifetimeOption struct {
	Seconds int64
	Words   string // "30 days"
	Until   moment
	Chosen  bool
}

func (p *Pages) tokenFormOf(f *TokenForm, now time.Time) *tokenForm {
	if f == nil {
		return nil
	}
	form := &tokenForm{TokenForm: *f}
	for _, s := range f.Scopes {
		form.Scopes = append(form.Scopes, scopeOption{p.ability(s.Name), s.Chosen})
	}
	for _, l := range f.Lifetimes {
		form.Lifetimes = append(form.Lifetimes, lifetimeOption{
			int64(l.Lifetime / time.Second), wholeSpan(l.Lifetime),
			momentOf(now.Add(l.Lifetime), now), l.Chosen,
		})
	}
	return form
}

func (f TokenForm) wrong() bool {
	return f.Problem != "" || f.NameProblem != "" || f.ScopesProblem != "" || f.LifetimeProblem != ""
}
