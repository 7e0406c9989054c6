package caller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc/address"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

const (
	nativeTTL = time.Minute // of the cache of whose a Vexa key is

	// nativePerSecond and nativeBurst limit the look-ups of Vexa keys at the gateway. It bans addresses that
	// send many invalid keys, and ours is the address of everybody (V12).
	nativePerSecond = 10
	nativeBurst     = 50
	maxNativeKey    = 128 // characters
	// how many invalid credentials a key counts for that the gateway does not know: one address must not use
	// up all look-ups
	nativeFailures = 5

	// nativeStreamLifetime is how long a stream may last before its key has to be sent again: nobody tells us
	// when Vexa deletes one.
	nativeStreamLifetime = 15 * time.Minute
)

// KeyOwners asks the gateway whose a Vexa key is. *vexa.Client implements it.
type KeyOwners interface {
	Whoami(ctx context.Context, key, from string) (vexa.Owner, error)
}

// nativeKey returns the caller of a Vexa key: the account of its user with tokens.native_keys: migrate, else
// a refusal that says what to do instead.
func (i *Identifier) nativeKey(ex *exchange.Exchange, r *http.Request, shown credential) (*Caller, error) {
	if i.cfg.Tokens.NativeKeys != NativeKeysMigrate || i.owners == nil {
		return nil, refuseNative(ex.Site)
	}
	key := credentialKey{hash: hashOf(shown.value)}
	c, ok := i.memory.natives.get(key, ex.Start)
	if !ok {
		var err error
		c, err = i.lookUp(ex, r, i.memory.natives, key, func(ctx context.Context) (*Caller, error) {
			return i.readNative(ctx, ex, shown.value)
		})
		if err != nil {
			return nil, err
		}
	}
	i.edge.Metrics.NativeKeys.Inc()
	return c, nil
}

func refuseNative(site *exchange.Site) error {
	return exchange.Refuse("native_key_refused", "Vexa’s own API keys are not accepted here. "+
		"Make a token at "+site.Origin+page.TokensPath+" and send it where the key was.")
}

// readNative looks up the account whose Vexa user a key belongs to: an active one, and the only one that has
// the user. The key is sent to the gateway and nowhere else.
func (i *Identifier) readNative(ctx context.Context, ex *exchange.Exchange, key string) (*Caller, error) {
	if len(key) > maxNativeKey || !exchange.Printable(key) {
		i.failures.Count(ex.Address, ex.Start, 1)
		return nil, refuseNative(ex.Site)
	}
	if !i.whoamiLimit.AllowN(i.edge.Now(), 1) {
		return nil, exchange.Refuse("rate_limited", "")
	}
	owner, err := i.owners.Whoami(ctx, key, ex.Address)
	switch {
	case errors.Is(err, vexa.ErrKeyRefused):
		i.failures.Count(ex.Address, ex.Start, nativeFailures)
		return nil, refuseNative(ex.Site)
	case err != nil:
		return nil, exchange.RefuseBecause("vexa_admin_unavailable",
			"Vexa cannot say right now whose key this is.", err)
	}
	return i.memory.natives.lookups.inTurn(ctx, func(ctx context.Context) (*Caller, error) {
		return i.accountOf(ctx, ex, owner)
	})
}

// accountOf returns the caller of a Vexa key of that owner.
func (i *Identifier) accountOf(
	ctx context.Context, ex *exchange.Exchange, owner vexa.Owner,
) (*Caller, error) {
	accounts, err := i.accounts.AccountsByVexaUser(ctx, owner.UserID)
	if err != nil {
		return nil, err
	}
	accounts = slices.DeleteFunc(accounts, func(a mapping.Account) bool {
		return a.Status == mapping.Pending
	})
	// of several who share the user, nobody knows whose key it is: perhaps that of one who was suspended (E7)
	if len(accounts) != 1 {
		return nil, refuseNative(ex.Site)
	}
	account := accounts[0]
	if account.Status != mapping.Active ||
		!address.Same(account.VexaEmail, owner.Email) {
		return nil, refuseNative(ex.Site)
	}
	if err := i.accounts.NoteNativeKey(ctx, account, ex.Address, ex.TraceID); err != nil {
		i.edge.Log.Warn("use of a Vexa key could not be recorded in the audit",
			"account", account.ID, "error", err)
	}
	return i.ownerOf(ctx, account.ID, rule.NewScopes(owner.Scopes...))
}

// ownerOf returns the caller of a Vexa key of an account's user.
func (i *Identifier) ownerOf(ctx context.Context, id string, scopes rule.Scopes) (*Caller, error) {
	account, err := i.accounts.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	pauses := account.ProvenAt.Add(i.cfg.Tokens.MaxOffline)
	if err := i.checkProven(account, pauses); err != nil {
		return nil, err
	}
	now := i.edge.Now()
	return &Caller{
		Credential: ByNativeKey,
		Expires:    now.Add(nativeStreamLifetime), Until: earliest(now.Add(nativeTTL), pauses),
		Account: account, limited: true, AtMost: scopes, limiter: i.newLimiter(),
	}, nil
}

// deprecate sets the headers by which a program learns that Vexa keys are deprecated (RFC 9745), and where to
// get a token. The date is when its owner got an account here.
func (i *Identifier) deprecate(ex *exchange.Exchange, c *Caller) {
	h := ex.Header()
	h.Set("Deprecation", fmt.Sprintf("@%d", c.Account.CreatedAt.Unix()))
	h.Set("Link", "<"+ex.Site.Origin+page.TokensPath+`>; rel="deprecation"; type="text/html"`)
}
