package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
	"vexa-sso/proxy/page"
)

const (
	maxTokenName = 100 // characters
	maxTokenBody = 16 << 10
	maxOnce      = 64 // characters of an idempotency key
	day          = 24 * time.Hour
)

// LeastTokenLifetime is the shortest lifetime that a token can be made with.
const LeastTokenLifetime = time.Minute

// create makes a personal token, for the person at their browser alone, and only while their sign-in is fresh
// (S7).
func (p *Pages) create(v *proxy.Visit) error {
	person, err := v.SignedIn()
	if err != nil {
		return err
	}
	if err := v.SameOrigin(); err != nil {
		return err
	}
	v.Request().Body = http.MaxBytesReader(v.Writer(), v.Request().Body, maxTokenBody)
	switch kind, _, _ := mime.ParseMediaType(v.Request().Header.Get("Content-Type")); kind {
	case "application/json":
		return p.createByJSON(v)
	case "application/x-www-form-urlencoded":
		return p.createByForm(v, person)
	}
	return proxy.Refuse("unsupported_media_type", "Send a form, or application/json.")
}

// tokenRequest is the form or JSON that asks for a token.
type tokenRequest struct {
	Name    string   `json:"name"`
	Scopes  []string `json:"scopes"`
	Seconds int64    `json:"expires_in"`
}

// fieldErrors are what is wrong with a request, by its fields, in sentences for the person; all is about the
// whole.
type fieldErrors struct{ name, scopes, lifetime, all string }

func (f fieldErrors) any() string { return cmp.Or(f.name, f.scopes, f.lifetime, f.all) }

// validate returns what is wrong with a request, as far as that can be said before the token is made.
func (p *Pages) validate(req tokenRequest, person proxy.Person, tokens []mapping.Token) (f fieldErrors) {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case req.Name == "":
		f.name = "Give the token a name."
	case proxy.HoldsToken(req.Name):
		f.name = "This looks like the value of a token. Choose a name that everybody may read."
	case utf8.RuneCountInString(req.Name) > maxTokenName:
		f.name = fmt.Sprintf("Use at most %d characters.", maxTokenName)
	case strings.ContainsFunc(req.Name, odd):
		f.name = "Use letters, digits, spaces and signs, on one line."
	case slices.ContainsFunc(tokens, func(t mapping.Token) bool {
		return t.Kind == mapping.TokenPersonal && t.Name == req.Name
	}):
		f.name = "You have a token of that name already. Choose another, so that you can tell them apart."
	}
	grant := person.Decision.Grant.Scopes
	if len(req.Scopes) == 0 {
		f.scopes = "Choose at least one."
	} else if missing := without(rule.NewScopes(req.Scopes...), grant); len(missing) > 0 {
		f.scopes = "You don’t have " + strings.Join(missing, ", ") + " yourself. Choose from " +
			strings.Join(grant.List(), ", ") + "."
	}
	if most := int64(p.maxLifetime / time.Second); req.Seconds < int64(LeastTokenLifetime/time.Second) ||
		req.Seconds > most {
		f.lifetime = fmt.Sprintf("expires_in must be from %d to %d seconds.",
			LeastTokenLifetime/time.Second, most)
	}
	return f
}

// createByJSON answers with the token as JSON. It is for scripts of our pages and for who automates a
// browser.
func (p *Pages) createByJSON(v *proxy.Visit) error {
	person, err := v.FreshlySignedIn()
	if err != nil {
		return err
	}
	var req tokenRequest
	if err := readJSON(v.Request().Body, &req); err != nil {
		return proxy.RefuseBecause("bad_request",
			`Send {"name": "…", "scopes": ["…"], "expires_in": seconds}.`, err)
	}
	req.Name = strings.TrimSpace(req.Name)
	tokens, err := p.tokensOf(v, person.Account)
	if err != nil {
		return err
	}
	if fault := p.validate(req, person, tokens).any(); fault != "" {
		return proxy.Refuse("token_not_made", fault)
	}
	token, value, err := p.make(v, person, req)
	if fault := objection(err); fault != "" {
		return proxy.Refuse("token_not_made", fault)
	}
	if err != nil {
		return err
	}
	view := tokenJSONOf(token)
	view.Token = value
	v.WriteJSON(http.StatusCreated, view)
	return nil
}

// readJSON decodes exactly one value, without unknown members.
func readJSON(from io.Reader, into any) error {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more than one value")
	}
	return nil
}

// createByForm answers the form itself with the new token: the value goes into no address and no cookie on
// the way. Sent again, as by reloading that answer, the form makes no other token and shows nothing: it has
// an idempotency key (once).
func (p *Pages) createByForm(v *proxy.Visit, person proxy.Person) error {
	if err := v.Request().ParseForm(); err != nil {
		return proxy.RefuseBecause("bad_request", "", err)
	}
	sent := v.Request().PostForm
	once := sent.Get("once")
	if once == "" || len(once) > maxOnce {
		return proxy.Refuse("bad_request", "This form does not come from the page.")
	}
	once = person.SessionID + " " + once
	if p.sent.Contains(once) {
		return p.sentAlready(v)
	}
	req := requestOf(sent)
	tokens, err := p.tokensOf(v, person.Account)
	if err != nil {
		return err
	}
	if f := p.validate(req, person, tokens); f.any() != "" {
		return p.showAgain(v, person, tokens, req, f)
	}
	if !v.Fresh(person) {
		return p.signInFirst(v, person, req)
	}
	token, value, err := p.makeOnce(v, person, req, once)
	if errors.Is(err, errSent) {
		return p.sentAlready(v)
	}
	if fault := objection(err); fault != "" {
		return p.showAgain(v, person, tokens, req, fieldErrors{all: fault})
	}
	if err != nil {
		return err
	}
	v.Pages().NewToken(v.Writer(), v.Request(), page.NewToken{
		Name: token.Name, Value: value, Scopes: token.Scopes.List(), Expires: token.ExpiresAt,
		Base: v.Origin(), Example: example(v, token, person),
	})
	return nil
}

func requestOf(sent url.Values) tokenRequest {
	seconds, _ := strconv.ParseInt(sent.Get("expires_in"), 10, 64) // not a number: 0, which is refused
	return tokenRequest{Name: strings.TrimSpace(sent.Get("name")), Scopes: sent["scope"], Seconds: seconds}
}

// showAgain shows the form as it was sent, with the errors beside its fields.
func (p *Pages) showAgain(
	v *proxy.Visit, person proxy.Person, tokens []mapping.Token, req tokenRequest, f fieldErrors,
) error {
	form, err := p.form(v, person, req)
	if err != nil {
		return err
	}
	form.NameProblem, form.ScopesProblem, form.Problem = f.name, f.scopes, f.all
	if f.lifetime != "" {
		form.LifetimeProblem = "Choose one of these."
	}
	return p.page(v, person, tokens, form)
}

// signInFirst sends a person to a fresh sign-in and back to the form, with what they typed.
func (p *Pages) signInFirst(v *proxy.Visit, person proxy.Person, req tokenRequest) error {
	q := url.Values{
		"name": {req.Name}, "scope": req.Scopes, "expires_in": {strconv.FormatInt(req.Seconds, 10)},
	}
	return v.SignInAgain(page.TokensPath+"?"+q.Encode(),
		cmp.Or(p.titles[person.Account.Provider], "your identity provider"))
}

var errSent = errors.New("the form made its token already")

func (p *Pages) sentAlready(v *proxy.Visit) error {
	v.Redirect(page.TokensPath + "?" + sentKey)
	return nil
}

// madeToken is a token with its value.
type madeToken struct {
	token mapping.Token
	value string
}

// makeOnce makes the token of a form once (singleflight and an LRU of idempotency keys). When a form is sent
// twice at the same time, as by a double click, both answers show the one token: the browser drops one of
// them.
func (p *Pages) makeOnce(
	v *proxy.Visit, person proxy.Person, req tokenRequest, once string,
) (mapping.Token, string, error) {
	result, err, _ := p.making.Do(once, func() (any, error) {
		if p.sent.Contains(once) {
			return nil, errSent
		}
		token, value, err := p.make(v, person, req)
		if err == nil {
			p.sent.Add(once, struct{}{})
		}
		return madeToken{token, value}, err
	})
	if err != nil {
		return mapping.Token{}, "", err
	}
	m := result.(madeToken)
	return m.token, m.value, nil
}

// make makes the token, also when the client has gone.
func (p *Pages) make(v *proxy.Visit, person proxy.Person, req tokenRequest) (mapping.Token, string, error) {
	return p.accounts.CreateToken(context.WithoutCancel(v.Request().Context()),
		person.Account.ID, mapping.NewToken{
			Kind: mapping.TokenPersonal, Name: req.Name, Scopes: rule.NewScopes(req.Scopes...),
			Lifetime: time.Duration(req.Seconds) * time.Second, Session: person.SessionID,
			Address: v.Address(), TraceID: v.TraceID(),
		}, person.Account.ID)
}

// objection returns the sentences that tell the person why the token cannot be made as asked for; empty for
// any other error.
func objection(err error) string {
	var o *mapping.Objection
	switch {
	case !errors.As(err, &o):
		return ""
	case o.Remedy == "":
		return o.Message
	}
	first, size := utf8.DecodeRuneInString(o.Remedy)
	return o.Message + " " + string(unicode.ToUpper(first)) + o.Remedy[size:] + "."
}

// prefilled returns the form with what the query says. A person's only scope is chosen: there is no lesser
// token. Of several none is.
func (p *Pages) prefilled(v *proxy.Visit, person proxy.Person, q url.Values) (*page.TokenForm, error) {
	req := requestOf(q)
	if utf8.RuneCountInString(req.Name) > maxTokenName {
		req.Name = ""
	}
	if mine := person.Decision.Grant.Scopes.List(); len(mine) == 1 {
		req.Scopes = mine
	}
	lifetimes := lifetimesUpTo(p.maxLifetime)
	if !slices.Contains(lifetimes, time.Duration(req.Seconds)*time.Second) {
		req.Seconds = int64(lifetimes[min(1, len(lifetimes)-1)] / time.Second)
	}
	return p.form(v, person, req)
}

// form returns the form with a request filled in, and a new idempotency key.
func (p *Pages) form(v *proxy.Visit, person proxy.Person, req tokenRequest) (*page.TokenForm, error) {
	once, err := v.RandomID()
	if err != nil {
		return nil, err
	}
	form := &page.TokenForm{Once: once, Name: req.Name, MaxName: maxTokenName}
	for _, scope := range person.Decision.Grant.Scopes.List() {
		form.Scopes = append(form.Scopes,
			page.ScopeChoice{Name: scope, Chosen: slices.Contains(req.Scopes, scope)})
	}
	for _, lifetime := range lifetimesUpTo(p.maxLifetime) {
		form.Lifetimes = append(form.Lifetimes,
			page.LifetimeChoice{Lifetime: lifetime, Chosen: req.Seconds == int64(lifetime/time.Second)})
	}
	return form, nil
}

// lifetimesUpTo returns the lifetimes to choose from: 7, 30 and 90 days as far as they are below most, and
// most.
func lifetimesUpTo(most time.Duration) []time.Duration {
	choices := slices.DeleteFunc([]time.Duration{7 * day, 30 * day, 90 * day}, func(d time.Duration) bool {
		return d >= most
	})
	return append(choices, most.Truncate(time.Second))
}

// example returns a path that the token may get.
func example(v *proxy.Visit, token mapping.Token, person proxy.Person) string {
	for _, path := range []string{"/meetings", "/bots/status"} {
		if v.MayRequest(person.Decision.Grant, token.Scopes, http.MethodGet, path) {
			return path
		}
	}
	return "/sso/whoami"
}
