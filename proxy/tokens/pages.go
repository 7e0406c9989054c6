package tokens

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
	"vexa-sso/proxy/page"
)

// Pages are where people see, make and revoke what acts for them without a browser: a page for them, and the
// same as JSON.
//
// With a program's credential, a token can be looked at and revoked by itself alone: a stolen token says
// nothing of its owner's others, and makes none. A provider's access token lists all of them.
type Pages struct {
	accounts    Accounts
	ender       Ender
	titles      map[string]string
	maxLifetime time.Duration

	making singleflight.Group
	sent   *lru.Cache[string, struct{}] // idempotency keys of forms that made a token
}

// Deps are the dependencies of Pages.
type Deps struct {
	Accounts    Accounts
	Ender       Ender
	Titles      map[string]string // what people call the providers, by name
	MaxLifetime time.Duration     // of a token; default 90 days
}

// Accounts is the port to accounts. *mapping.Accounts implements it.
type Accounts interface {
	CreateToken(
		ctx context.Context, accountID string, n mapping.NewToken, actor string,
	) (mapping.Token, string, error)
	TokensOf(ctx context.Context, accountID string) ([]mapping.Token, error)
}

// Ender revokes: for good, on this replica at once and on the others within a second. *proxy.Proxy implements
// it.
type Ender interface {
	End(ctx context.Context, r mapping.Revocation, actor string) error
}

const maxSentForms = 10_000 // entries of the LRU of idempotency keys

// New returns the pages.
func New(d Deps) *Pages {
	sent, err := lru.New[string, struct{}](maxSentForms)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Pages{
		accounts: d.Accounts, ender: d.Ender, titles: d.Titles,
		maxLifetime: cmp.Or(d.MaxLifetime, 90*day), sent: sent,
	}
}

// Register adds the pages to the edge, and a link to them to the start page.
func (p *Pages) Register(edge *proxy.Proxy) {
	edge.Handle(page.TokensPath, p.tokens)
	edge.Handle(page.TokensPath+"/{id}", p.token)
	edge.Handle(page.TokensPath+"/{id}/revoke", p.revokeForm)
	edge.Link(p.link)
}

func (p *Pages) tokens(v *proxy.Visit) error {
	switch v.Request().Method {
	case http.MethodGet, http.MethodHead:
		if v.Navigates() {
			return p.show(v)
		}
		return p.List(v)
	case http.MethodPost:
		return p.create(v)
	}
	return proxy.Refuse("method_not_allowed", "")
}

func (p *Pages) token(v *proxy.Visit) error {
	if v.Request().Method != http.MethodDelete {
		return proxy.Refuse("method_not_allowed", "")
	}
	return p.end(v)
}

// show is the page. Its form may be prefilled by the query, from elsewhere or from before a sign-in; it is
// the person who sends it.
func (p *Pages) show(v *proxy.Visit) error {
	person, err := v.SignedIn()
	if err != nil {
		return err
	}
	tokens, err := p.tokensOf(v, person.Account)
	if err != nil {
		return err
	}
	q := v.Request().URL.Query()
	form, err := p.prefilled(v, person, q)
	if err != nil {
		return err
	}
	return p.page(v, person, tokens, form, whatHappened(q, tokens)...)
}

// tokensOf returns an account's tokens, with their last use as far as this replica knows it.
func (p *Pages) tokensOf(v *proxy.Visit, account mapping.Account) ([]mapping.Token, error) {
	tokens, err := p.accounts.TokensOf(v.Request().Context(), account.ID)
	if err != nil {
		return nil, err
	}
	v.LatestUse(tokens)
	return tokens, nil
}

func (p *Pages) page(
	v *proxy.Visit, person proxy.Person, tokens []mapping.Token, form *page.TokenForm, notices ...page.Notice,
) error {
	view := page.Tokens{Notices: notices, Form: form}
	form.SignInFirst = !v.Fresh(person)
	form.Provider = p.titles[person.Account.Provider]
	for _, t := range tokens {
		may := t.Scopes.Intersect(person.Decision.Grant.Scopes)
		line := page.Token{
			ID: t.ID, Name: t.Name, Scopes: may.List(), Idle: without(t.Scopes, may),
			Created: t.CreatedAt, Expires: t.ExpiresAt, Used: t.UsedAt, UsedFrom: t.UsedFrom,
		}
		if t.Kind == mapping.TokenTool {
			view.Tools = append(view.Tools, line)
		} else {
			view.Personal = append(view.Personal, line)
		}
	}
	v.Pages().Tokens(v.Writer(), v.Request(), view)
	return nil
}

// without returns the scopes of s that are not in t.
func without(s, t rule.Scopes) (rest []string) {
	for _, name := range s.List() {
		if !t.Has(name) {
			rest = append(rest, name)
		}
	}
	return rest
}

const (
	revokedKey = "revoked" // query parameter: id of the token that was just revoked
	sentKey    = "sent"    // query parameter: a form was sent again
)

// whatHappened returns the notice about the form that was sent before. It never says that a token is revoked
// which is still there.
func whatHappened(q url.Values, tokens []mapping.Token) []page.Notice {
	switch {
	case q.Has(sentKey):
		return []page.Notice{{
			Level: page.Info, Title: "That form was sent already",
			Text: "It made one token, whose value was shown then and cannot be shown again. If you don’t " +
				"have it, revoke the token and make another.",
		}}
	case q.Has(revokedKey) && find(tokens, q.Get(revokedKey)) == nil:
		return []page.Notice{{
			Level: page.Info, Title: "It is revoked", Text: "Whatever used it is refused from now on.",
		}}
	}
	return nil
}

func find(tokens []mapping.Token, id string) *mapping.Token {
	for i, t := range tokens {
		if t.ID == id {
			return &tokens[i]
		}
	}
	return nil
}

// tokenJSON is a token in JSON. The value is there once, in the answer to its making.
type tokenJSON struct {
	ID           string            `json:"id"`
	Kind         mapping.TokenKind `json:"kind"`
	Client       string            `json:"client,omitempty"`
	Name         string            `json:"name"`
	Scopes       []string          `json:"scopes"` // at most; never more than its owner's
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    time.Time         `json:"expires_at"`
	LastUsedAt   *time.Time        `json:"last_used_at"`
	LastUsedFrom string            `json:"last_used_from,omitempty"`
	Token        string            `json:"token,omitempty"`
}

func tokenJSONOf(t mapping.Token) tokenJSON {
	view := tokenJSON{
		ID: t.ID, Kind: t.Kind, Client: t.Client, Name: t.Name,
		Scopes:    append([]string{}, t.Scopes.List()...),
		CreatedAt: inSeconds(t.CreatedAt), ExpiresAt: inSeconds(t.ExpiresAt), LastUsedFrom: t.UsedFrom,
	}
	if !t.UsedAt.IsZero() {
		at := inSeconds(t.UsedAt)
		view.LastUsedAt = &at
	}
	return view
}

// inSeconds returns a time in UTC and whole seconds: the same before and after it was stored.
func inSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// List answers with the tokens as JSON.
func (p *Pages) List(v *proxy.Visit) error {
	c, err := callerOf(v)
	if err != nil {
		return err
	}
	tokens, err := p.tokensOf(v, c.Account)
	if err != nil {
		return err
	}
	views := []tokenJSON{}
	for _, t := range tokens {
		if mayShow(c, t) {
			views = append(views, tokenJSONOf(t))
		}
	}
	v.WriteJSON(http.StatusOK, struct {
		Tokens      []tokenJSON `json:"tokens"`
		MaxLifetime int64       `json:"max_lifetime"` // seconds
	}{views, int64(p.maxLifetime / time.Second)})
	return nil
}

// mayShow reports whether a token may be shown to a caller: all to the person, by session or by their
// provider's access token; only itself to a token.
func mayShow(c proxy.Caller, t mapping.Token) bool {
	return c.Credential == proxy.BySession || c.Credential == proxy.ByBearer ||
		c.Credential == proxy.ByToken && c.CredentialID == t.ID
}

// callerOf returns the caller, with whatever credential, if they may use Vexa at all.
func callerOf(v *proxy.Visit) (proxy.Caller, error) {
	c, err := v.Caller()
	if err != nil {
		return proxy.Caller{}, err
	}
	return c, c.MayUse()
}

// end revokes a token: any of their own for a person at their browser, itself for a token.
func (p *Pages) end(v *proxy.Visit) error {
	c, err := callerOf(v)
	if err != nil {
		return err
	}
	id := v.Request().PathValue("id")
	switch c.Credential {
	case proxy.BySession:
		err = v.SameOrigin()
	case proxy.ByToken:
		if id != c.CredentialID {
			err = proxy.Refuse("not_found",
				"There is no such token, or it is another than the one on this request.")
		}
	default:
		err = proxy.Refuse("unauthenticated",
			"Tokens are revoked by a person who is signed in with a browser, or by themselves.")
	}
	if err != nil {
		return err
	}
	if err := p.revoke(v, c.Account.ID, id); err != nil {
		return err
	}
	v.Writer().Header().Set("Cache-Control", "no-store")
	v.Writer().WriteHeader(http.StatusNoContent)
	return nil
}

// revokeForm is end for the page. Revoking needs no fresh sign-in.
func (p *Pages) revokeForm(v *proxy.Visit) error {
	if v.Request().Method != http.MethodPost {
		return proxy.Refuse("method_not_allowed", "")
	}
	person, err := v.SignedIn()
	if err != nil {
		return err
	}
	if err := v.SameOrigin(); err != nil {
		return err
	}
	id := v.Request().PathValue("id")
	if err := p.revoke(v, person.Account.ID, id); err != nil && !errors.Is(err, mapping.ErrNotFound) {
		return err // what was revoked meanwhile is as they wanted it
	}
	v.Redirect(page.TokensPath + "?" + url.Values{revokedKey: {id}}.Encode())
	return nil
}

func (p *Pages) revoke(v *proxy.Visit, account, id string) error {
	r := mapping.Revocation{
		At: v.Now(), Kind: mapping.RevokeToken, Account: account, Token: id, Reason: "by its owner",
		Address: v.Address(), TraceID: v.TraceID(),
	}
	err := p.ender.End(v.Request().Context(), r, account)
	if errors.Is(err, mapping.ErrNotFound) {
		return proxy.RefuseBecause("not_found", "There is no such token.", err)
	}
	return err
}

// link returns the link from the start page to the tokens, and says which there are.
func (p *Pages) link(ctx context.Context, account string) page.Link {
	link := page.Link{Label: "Tokens and tools", Href: page.TokensPath, Note: "For curl, SDKs, n8n, CI " +
		"jobs: whatever asks for an API key"}
	tokens, err := p.accounts.TokensOf(ctx, account)
	if err != nil {
		return link // the page itself will say what is wrong
	}
	personal, tools := 0, []string{}
	for _, t := range tokens {
		if t.Kind == mapping.TokenTool {
			tools = append(tools, t.Name)
		} else {
			personal++
		}
	}
	var has []string
	if personal > 0 {
		has = append(has, count(personal, "personal token"))
	}
	if len(tools) > 0 {
		has = append(has,
			count(len(tools), "signed-in tool")+" ("+strings.Join(tools[:min(3, len(tools))], ", ")+")")
	}
	if len(has) > 0 {
		link.Note = strings.Join(has, ", ")
	}
	return link
}

// count returns a number with its noun.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
