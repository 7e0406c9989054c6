package mapping

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vexa-sso/mapping/rule"
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
	Scopes   rule.Scopes   // within the owner's grant; of a tool, none means all that the owner has now
	Lifetime time.Duration // 0: as long as Config.MaxTokenLifetime allows
	Session  string        // of the person at their browser: it must not have ended; empty: not asked

	Address, TraceID string // of the request, for the audit
}

// Issued is what a tool is given.
type Issued struct {
	Token           Token
	Access, Refresh string // the values, which nobody can read again
	AccessExpires   time.Time
}

// CreateToken makes a token of an account, and returns it with its value, which is shown once: nobody can
// read it again. actor is who made it. An *Objection says what cannot be asked for, an *Error why the account
// cannot have any.
func (a *Accounts) CreateToken(
	ctx context.Context, accountID string, n NewToken, actor string,
) (Token, string, error) {
	return a.tokens.create(ctx, accountID, n, actor)
}

func (ts *issuedTokens) create(
	ctx context.Context, accountID string, n NewToken, actor string,
) (Token, string, error) {
	access, err := ts.random.tokenValue(AccessValue)
	if err != nil {
		return Token{}, "", err
	}
	token, err := ts.make(ctx, accountID, n, actor, func(c *change, t Token) error {
		return c.PutTokenValue(TokenValue{
			Hash: valueHash(access), TokenID: t.ID,
			CreatedAt: c.now, ExpiresAt: t.ExpiresAt,
		})
	})
	if err != nil {
		return Token{}, "", err
	}
	return token, access, nil
}

// GrantTool writes down what a person has let a tool have, and returns the tool's first values. Errors are as
// CreateToken's.
func (a *Accounts) GrantTool(
	ctx context.Context, accountID string, n NewToken, actor string,
) (Issued, error) {
	return a.tokens.grant(ctx, accountID, n, actor)
}

func (ts *issuedTokens) grant(
	ctx context.Context, accountID string, n NewToken, actor string,
) (Issued, error) {
	pair, err := ts.newPair()
	if err != nil {
		return Issued{}, err
	}
	token, err := ts.make(ctx, accountID, n, actor, func(c *change, t Token) error {
		return c.putPair(&pair, t, 1)
	})
	if err != nil {
		return Issued{}, err
	}
	pair.Token = token
	return pair, nil
}

// make creates a token. putValues stores its values, in the same transaction.
func (ts *issuedTokens) make(
	ctx context.Context, accountID string, n NewToken, actor string, putValues func(*change, Token) error,
) (token Token, err error) {
	id := ts.random.id()
	err = ts.change(ctx, "create a token", func(c *change) error {
		acc, granted, err := c.tokenOwner(accountID)
		if err != nil {
			return err
		}
		if n.Session != "" {
			if err := c.CheckSession(n.Session, c.now); err != nil {
				return err
			}
		}
		asked := n.completed(granted, ts.maxLifetime)
		if err := asked.check(granted, ts.maxLifetime); err != nil {
			return err
		}
		token = Token{
			ID: id, AccountID: accountID, Kind: asked.Kind, Client: asked.Client,
			Name: asked.Name, Scopes: asked.Scopes,
			CreatedAt: c.now, ExpiresAt: c.now.Add(asked.Lifetime),
		}
		if err := c.PutToken(token); err != nil {
			return err
		}
		if err := putValues(c, token); err != nil {
			return err
		}
		e := about(acc, EventTokenCreated)
		e.Actor, e.CredentialID, e.Address, e.TraceID = actor, id, n.Address, n.TraceID
		e.Reason = fmt.Sprintf("%s token %q: scopes %s, until %s", token.Kind, token.Name, token.Scopes,
			token.ExpiresAt.UTC().Format(time.RFC3339))
		return c.record(e)
	})
	if err != nil {
		return Token{}, asError(err)
	}
	return token, nil
}

// tokenOwner returns an account that may have one more token, and what it is granted.
func (c *change) tokenOwner(accountID string) (Account, rule.Scopes, error) {
	acc, err := c.Account(accountID)
	if err != nil {
		return acc, "", err
	}
	if err := statusError(acc); err != nil {
		return acc, "", err
	}
	d := c.ledger.decide(acc)
	switch {
	case !d.Allowed:
		return acc, "", &Error{Code: d.Code, Message: d.Reason}
	case acc.Kind == oidc.Service:
		return acc, "", &Objection{
			"A program cannot have personal tokens.",
			"use the access tokens that its identity provider issues",
		}
	}
	return acc, d.Grant.Scopes, c.roomForToken(accountID)
}

// completed fills in what was left out, and writes names and scopes as they are stored.
func (n NewToken) completed(granted rule.Scopes, longest time.Duration) NewToken {
	n.Name = strings.TrimSpace(n.Name)
	n.Scopes = rule.NewScopes(n.Scopes.List()...)
	if n.Kind == TokenTool && n.Scopes == "" {
		n.Scopes = granted
	}
	n.Lifetime = cmp.Or(n.Lifetime, longest)
	return n
}

// check says why such a token cannot be made (S12).
func (n NewToken) check(granted rule.Scopes, longest time.Duration) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case n.Kind != TokenPersonal && n.Kind != TokenTool, (n.Kind == TokenTool) != (n.Client != ""),
		len(n.Client) > maxTokenClient:
		text := fmt.Sprintf("A token of kind %q cannot be made for the client %q.", n.Kind, brief(n.Client))
		return &Objection{text, ""}
	case n.Name == "", utf8.RuneCountInString(n.Name) > maxTokenName, strings.ContainsFunc(n.Name, odd):
		return &Objection{
			"The token needs a name that says what it is for.",
			fmt.Sprintf("write one line of at most %d characters", maxTokenName),
		}
	case n.Scopes == "":
		return &Objection{"Choose at least one scope.", ""}
	case !granted.Covers(n.Scopes):
		return &Error{
			Code: CodeScopeMissing,
			Message: "The token asks for scopes that your access to Vexa does not include. Choose " +
				"fewer scopes.",
		}
	case n.Lifetime < minTokenLife || n.Lifetime > longest:
		return &Objection{
			"A token can live for " + wholeDays(longest) + " at most.",
			"choose an earlier end, at least a minute from now",
		}
	}
	return nil
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
		return &Objection{
			fmt.Sprintf("There are %d tokens already.", live),
			"revoke those that are not needed any more",
		}
	}
	return nil
}

// wholeDays is a duration in words for people: in days where it comes to some.
func wholeDays(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days > 1 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", days)
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// newPair makes the values of a tool.
func (ts *issuedTokens) newPair() (pair Issued, err error) {
	if pair.Access, err = ts.random.tokenValue(AccessValue); err != nil {
		return Issued{}, err
	}
	pair.Refresh, err = ts.random.tokenValue(RefreshValue)
	return pair, err
}

// putPair stores the values of a tool's token as of one generation.
func (c *change) putPair(pair *Issued, t Token, generation int64) error {
	pair.AccessExpires = c.now.Add(accessLifetime)
	if t.ExpiresAt.Before(pair.AccessExpires) {
		pair.AccessExpires = t.ExpiresAt
	}
	err := c.PutTokenValue(TokenValue{
		Hash: valueHash(pair.Access), TokenID: t.ID, Generation: generation,
		CreatedAt: c.now, ExpiresAt: pair.AccessExpires,
	})
	if err != nil {
		return err
	}
	return c.PutTokenValue(TokenValue{
		Hash: valueHash(pair.Refresh), TokenID: t.ID, Refresh: true,
		Generation: generation, CreatedAt: c.now, ExpiresAt: t.ExpiresAt,
	})
}
