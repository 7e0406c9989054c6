package mapping

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vexa-sso/oidc"
)

const (
	maxTokens      = 100 // live ones of an account, both kinds together
	maxTokenName   = 100 // characters
	maxTokenClient = 2048
	minTokenLife   = time.Minute
	accessLifetime = time.Hour // of a tool's access value; the refresh value lives as long as the grant
)

// NewToken is what a token is to be.
type NewToken struct {
	Kind     TokenKind
	Client   string // of a tool: its client_id
	Name     string
	Scopes   Scopes        // within the owner's grant; of a tool, none means all that the owner has now
	Lifetime time.Duration // 0: as long as Config.MaxTokenLifetime allows

	Address, TraceID string // of the request, for the audit
}

// Issued is what a tool is given.
type Issued struct {
	Token           Token
	Access, Refresh string // the values, which nobody can read again
	AccessExpires   time.Time
}

// CreateToken makes a token of an account, and returns it with its value, which is shown once: nobody can read it again. actor is
// who made it. An *Objection says what cannot be asked for, an *Error why the account cannot have any.
func (a *Accounts) CreateToken(ctx context.Context, accountID string, n NewToken, actor string) (Token, string, error) {
	access, err := a.newValue(AccessValue)
	if err != nil {
		return Token{}, "", err
	}
	token, err := a.createToken(ctx, accountID, n, actor, func(c *change, t Token) error {
		return c.PutTokenValue(TokenValue{Hash: valueHash(access), TokenID: t.ID, CreatedAt: c.now, ExpiresAt: t.ExpiresAt})
	})
	if err != nil {
		return Token{}, "", err
	}
	return token, access, nil
}

// GrantTool writes down what a person has let a tool have, and returns the tool's first values. Errors are as CreateToken's.
func (a *Accounts) GrantTool(ctx context.Context, accountID string, n NewToken, actor string) (Issued, error) {
	pair, err := a.newPair()
	if err != nil {
		return Issued{}, err
	}
	token, err := a.createToken(ctx, accountID, n, actor, func(c *change, t Token) error { return c.putPair(&pair, t, 1) })
	if err != nil {
		return Issued{}, err
	}
	pair.Token = token
	return pair, nil
}

func (a *Accounts) createToken(ctx context.Context, accountID string, n NewToken, actor string, give func(*change, Token) error) (token Token, err error) {
	id := a.newID()
	err = a.change(ctx, "create a token", func(c *change) error {
		if token, err = c.token(id, accountID, n); err != nil {
			return err
		}
		if err := c.PutToken(token); err != nil {
			return err
		}
		acc, err := c.Account(accountID)
		if err != nil {
			return err
		}
		e := about(acc, EventTokenCreated)
		e.Actor, e.CredentialID, e.Address, e.TraceID = actor, id, n.Address, n.TraceID
		e.Reason = fmt.Sprintf("%s token %q: scopes %s, until %s", token.Kind, token.Name, token.Scopes, token.ExpiresAt.UTC().Format(time.RFC3339))
		if err := c.record(e); err != nil {
			return err
		}
		return give(c, token)
	})
	if err != nil {
		return Token{}, asError(err)
	}
	return token, nil
}

// token is the token that n asks for, if the account may have it.
func (c *change) token(id, accountID string, n NewToken) (Token, error) {
	acc, err := c.Account(accountID)
	if err != nil {
		return Token{}, err
	}
	if err := standing(acc); err != nil {
		return Token{}, err
	}
	d := c.a.Decide(acc)
	if !d.Allowed {
		return Token{}, &Error{Code: d.Code, Message: d.Reason}
	}
	name, err := tokenNameOf(n.Name)
	if err != nil {
		return Token{}, err
	}
	if n.Kind == TokenTool && n.Scopes == "" {
		n.Scopes = d.Grant.Scopes
	}
	if n.Lifetime == 0 {
		n.Lifetime = c.a.maxTokenLifetime
	}
	switch {
	case acc.Kind == oidc.Service:
		return Token{}, &Objection{"A program has no personal tokens.", "let it show the tokens that its provider gives it"}
	case n.Kind != TokenPersonal && n.Kind != TokenTool, (n.Kind == TokenTool) != (n.Client != ""), len(n.Client) > maxTokenClient:
		return Token{}, fmt.Errorf("there is no token of kind %q for client %q", n.Kind, brief(n.Client))
	case n.Scopes == "":
		return Token{}, &Objection{"The token would open nothing.", "choose at least one scope"}
	case !d.Grant.Scopes.Covers(n.Scopes):
		return Token{}, &Error{Code: CodeScopeMissing, Message: "Your access to Vexa does not include all that the token asks for."}
	case n.Lifetime < minTokenLife || n.Lifetime > c.a.maxTokenLifetime:
		return Token{}, &Objection{"A token can live for " + wholeDays(c.a.maxTokenLifetime) + " at most.", "choose an earlier end, at least a minute from now"}
	}
	if err := c.roomForToken(accountID); err != nil {
		return Token{}, err
	}
	return Token{
		ID: id, AccountID: accountID, Kind: n.Kind, Client: n.Client, Name: name, Scopes: NewScopes(n.Scopes.List()...),
		CreatedAt: c.now, ExpiresAt: c.now.Add(n.Lifetime),
	}, nil
}

// roomForToken refuses an account that has as many tokens as it may (S12).
func (c *change) roomForToken(accountID string) error {
	tokens, err := c.Tokens(accountID)
	if err != nil {
		return err
	}
	live := 0
	for _, t := range tokens {
		if t.Live(c.now) {
			live++
		}
	}
	if live >= maxTokens {
		return &Objection{fmt.Sprintf("There are %d tokens already.", live), "revoke those that are not needed any more"}
	}
	return nil
}

// tokenNameOf is the name of a token: one line that people can tell from others.
func tokenNameOf(name string) (string, error) {
	name = strings.TrimSpace(name)
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	if name == "" || utf8.RuneCountInString(name) > maxTokenName || strings.ContainsFunc(name, odd) {
		return "", &Objection{"The token needs a name that says what it is for.", fmt.Sprintf("write one line of at most %d characters", maxTokenName)}
	}
	return name, nil
}

// wholeDays is a duration in words for people: in days where it comes to some.
func wholeDays(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days > 1 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", days)
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

func (a *Accounts) newValue(prefix string) (string, error) {
	a.randMu.Lock()
	defer a.randMu.Unlock()
	return NewTokenValue(a.rand, prefix)
}

// newPair makes the values of a tool.
func (a *Accounts) newPair() (pair Issued, err error) {
	if pair.Access, err = a.newValue(AccessValue); err != nil {
		return Issued{}, err
	}
	pair.Refresh, err = a.newValue(RefreshValue)
	return pair, err
}

// putPair stores the values of a tool's token as of one generation.
func (c *change) putPair(pair *Issued, t Token, generation int64) error {
	pair.AccessExpires = c.now.Add(accessLifetime)
	if t.ExpiresAt.Before(pair.AccessExpires) {
		pair.AccessExpires = t.ExpiresAt
	}
	err := c.PutTokenValue(TokenValue{Hash: valueHash(pair.Access), TokenID: t.ID, Generation: generation, CreatedAt: c.now, ExpiresAt: pair.AccessExpires})
	if err != nil {
		return err
	}
	return c.PutTokenValue(TokenValue{Hash: valueHash(pair.Refresh), TokenID: t.ID, Refresh: true, Generation: generation, CreatedAt: c.now, ExpiresAt: t.ExpiresAt})
}
