package mapping

import (
	"context"
	"fmt"
	"time"

	"vexa-sso/mapping/rule"
)

// Revoke takes away what r names. Everything that ends access goes through it. The decision is written down
// in one transaction, with its audit event, its place in the log that every replica tails, and what is left
// to do; Run deletes the keys at Vexa until Vexa has confirmed it (S5). actor is who decided.
//
//   - RevokeSession ends the session. ErrNotFound: there was none.
//   - RevokeToken ends the token, and the keys that only it needed. ErrNotFound: the account has none such.
//   - RevokeAccount suspends the account and ends all it has: sessions, tokens, streams, keys, its Vexa
//     user's bots. Until Resume it is refused everywhere. Suspend can be told to do more.
//   - RevokeGrant looks at the account again by its identity and the rules now in force, and takes the keys
//     that are too wide.
func (a *Accounts) Revoke(ctx context.Context, r Revocation, actor string) error {
	switch r.Kind {
	case RevokeSession:
		return a.revoke(ctx, r, func(c *change, acc Account) error {
			if err := c.DeleteSession(r.Session); err != nil {
				return err
			}
			e := about(acc, EventSessionEnded)
			e.Actor, e.Reason, e.CredentialID = actor, r.Reason, r.Session
			e.Address, e.TraceID = r.Address, r.TraceID
			return c.record(e)
		})
	case RevokeToken:
		return a.revoke(ctx, r, func(c *change, acc Account) error {
			token, err := c.Token(r.Token)
			if err == nil && token.AccountID != acc.ID {
				err = ErrNotFound
			}
			if err != nil {
				return err
			}
			e := endEvent(acc, token, EventTokenRevoked, r.Reason, actor)
			e.Address, e.TraceID = r.Address, r.TraceID
			return c.endToken(acc, token, CauseRevoked, e)
		})
	case RevokeAccount:
		_, err := a.Suspend(ctx, r.Account, Suspension{Reason: r.Reason}, actor)
		return err
	case RevokeGrant:
		return a.revoke(ctx, r, func(c *change, acc Account) error {
			return c.revokeWider(acc.ID, grantOf(a.decide(acc)).Scopes)
		})
	}
	return fmt.Errorf("revoke: there is no kind %q", r.Kind)
}

// SignOutEverywhere ends all that an account has, like RevokeAccount, but leaves it active: who may still
// sign in can do so at once, and has to, before there is a key for them again.
func (a *Accounts) SignOutEverywhere(ctx context.Context, accountID, reason, actor string) error {
	r := Revocation{Kind: RevokeAccount, Account: accountID, Reason: reason}
	return a.revoke(ctx, r, func(c *change, acc Account) error {
		return c.signOut(acc, EventSignOut, reason, actor)
	})
}

// signOut ends all that an account has until somebody proves to be its person again. A request that is under
// way, or on a replica that has not heard of it yet, must not mint another key for them.
func (c *change) signOut(acc Account, event, reason, actor string) error {
	acc.ProvenAt = time.Time{}
	if err := c.PutAccount(acc); err != nil {
		return err
	}
	return c.endAll(acc, event, reason, actor)
}

// RevokeKey deletes one key, whatever it still could be used for. ErrNotFound: there is none.
func (a *Accounts) RevokeKey(ctx context.Context, keyID, reason, actor string) error {
	var key Key
	err := a.store.View(ctx, func(tx Tx) (err error) {
		key, err = tx.Key(keyID)
		return err
	})
	if err != nil {
		return asError(fmt.Errorf("look up key %s: %w", keyID, err))
	}
	r := Revocation{Kind: RevokeGrant, Account: key.AccountID, Reason: reason}
	return a.revoke(ctx, r, func(c *change, acc Account) error {
		key, err := c.Key(keyID)
		if err != nil {
			return err
		}
		if err := c.revokeKey(key); err != nil {
			return err
		}
		e := about(acc, EventKeyRevokeAsked)
		e.Actor, e.Reason, e.CredentialID, e.VexaTokenID = actor, reason, keyID, key.VexaTokenID
		return c.record(e)
	})
}

// revoke runs fn and publishes r in one transaction, then lets both take effect here.
func (a *Accounts) revoke(ctx context.Context, r Revocation, fn func(*change, Account) error) error {
	err := a.change(ctx, "revoke "+string(r.Kind), func(c *change) error {
		acc, err := c.Account(r.Account)
		if err != nil {
			return err
		}
		if err := fn(c, acc); err != nil {
			return err
		}
		r.At = c.now
		return c.Publish(r)
	})
	if err != nil {
		return asError(err)
	}
	a.keys.applied(r)
	return nil
}

// applied is called when a revocation was written down: it counts it (Deps.Revoked) and forgets the keys that
// this process holds open.
func (ks *vexaKeys) applied(r Revocation) {
	ks.revoked(r.Kind)
	ks.apply(r)
}

// Apply is what a replica does when the log of revocations says so: it forgets the keys that it holds open.
func (a *Accounts) Apply(r Revocation) { a.keys.apply(r) }

func (ks *vexaKeys) apply(r Revocation) {
	switch r.Kind {
	case RevokeSession:
		return
	case RevokeEverything:
		ks.cache.forgetAll()
	default:
		ks.cache.forgetAccount(r.Account)
	}
	ks.wake()
}

// pause ends what an account has but its tokens, until somebody proves to be its person again: then the
// tokens go on.
func (c *change) pause(acc Account, reason, actor string) error {
	acc.ProvenAt = time.Time{}
	if err := c.PutAccount(acc); err != nil {
		return err
	}
	sessions, err := c.DeleteSessions(acc.ID)
	if err != nil {
		return err
	}
	if err := c.endUnused(acc); err != nil {
		return err
	}
	e := about(acc, EventGrantOver)
	e.Actor, e.Reason = actor, reason
	if sessions > 0 {
		e.Reason = fmt.Sprintf("%s (%d sessions)", reason, sessions)
	}
	return c.record(e)
}

// endUnused ends what nobody has yet or may use now: what programs are about to fetch, keys, the refresh
// grant.
func (c *change) endUnused(acc Account) error {
	if err := c.DeleteAuthorizations(acc.ID); err != nil {
		return err
	}
	if err := c.revokeWider(acc.ID, ""); err != nil {
		return err
	}
	return c.DeleteRefreshGrant(acc.ID)
}

// causeOf is what the tokens that end by an event say of their end.
var causeOf = map[string]TokenCause{
	EventSignOut: CauseSignedOut, EventAccessEnded: CauseAccessEnded, EventAccountSuspended: CauseSuspended,
}

// endAll ends the sessions and the tokens of an account, those too that a program is about to fetch, and
// revokes all its keys.
func (c *change) endAll(acc Account, event, reason, actor string) error {
	sessions, err := c.DeleteSessions(acc.ID)
	if err != nil {
		return err
	}
	tokens, err := c.endTokens(acc, causeOf[event], reason, actor)
	if err != nil {
		return err
	}
	if err := c.endUnused(acc); err != nil {
		return err
	}
	e := about(acc, event)
	e.Actor, e.Reason = actor, reason
	if sessions+tokens > 0 {
		e.Reason = fmt.Sprintf("%s (%d sessions, %d tokens)", reason, sessions, tokens)
	}
	return c.record(e)
}

// revokeWider revokes the account's keys that have more than scopes. Intents are left to whoever mints, who
// will see the account as it is now, and to the reconciler.
func (c *change) revokeWider(accountID string, scopes rule.Scopes) error {
	keys, err := c.Keys(accountID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !wider(key, scopes, c.now) {
			continue
		}
		if err := c.revokeKey(key); err != nil {
			return err
		}
	}
	return nil
}

// revokeKey makes a key one that is to be deleted at Vexa. Its secret is gone from the store from here on.
func (c *change) revokeKey(key Key) error {
	if key.State == KeyRevoking && !key.InGrace(c.now) {
		return nil
	}
	key.RevokedAt, key.RetryAt = c.now, time.Time{}
	return c.putRevoked(key)
}

// replaceKeys has the keys that a new one takes the place of deleted at Vexa when the grace is over. Nobody
// gets them from the store any more, and every replica hears of it; requests that have one in hand may use it
// until then. Those that this process cannot open are left to who can.
func (c *change) replaceKeys(by Key, opens func(Key) bool, grace time.Duration) error {
	keys, err := c.Keys(by.AccountID)
	if err != nil {
		return err
	}
	replaced := false
	for _, key := range keys {
		if key.ID == by.ID || key.State != KeyActive || key.Scopes != by.Scopes || !opens(key) {
			continue
		}
		key.RevokedAt = c.now.Add(grace)
		key.RetryAt = key.RevokedAt
		if err := c.putRevoked(key); err != nil {
			return err
		}
		replaced = true
	}
	if !replaced {
		return nil
	}
	r := Revocation{At: c.now, Kind: RevokeGrant, Account: by.AccountID, Reason: "a key was replaced"}
	return c.Publish(r)
}

func (c *change) putRevoked(key Key) error {
	key.State, key.Sealed, key.Attempts = KeyRevoking, nil, 0
	return c.PutKey(key)
}
