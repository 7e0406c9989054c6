package mapping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc/address"
)

// Results of minting, as Deps.Minted is told.
const (
	MintDone        = "done"
	MintFailed      = "failed"       // Vexa did not answer, or said no
	MintWrongScopes = "wrong_scopes" // Vexa gave a key with other scopes than asked; it is deleted
	// the account changed, or the lease was lost, meanwhile; the key is deleted
	MintAbandoned = "abandoned"
)

const (
	obtainTimeout = 30 * time.Second // binding and minting for one account, waiting included
	mintTimeout   = 25 * time.Second // of which one mint, all its calls together
	// the age of an intent from which on its mint cannot be running any more
	mintOver    = mintTimeout + 20*time.Second
	firstWait   = 20 * time.Millisecond  // for another replica's mint, then twice as long each time …
	longestWait = 500 * time.Millisecond // … up to this
	// of a key; shorter ones would be minted all the time, and 0 is for ever to Vexa
	minLifetime = time.Minute
	maxMargin   = 5 * time.Minute // how long before Vexa does we stop using a key
)

// mintAlone mints a key if, with the lease in hand, there still is none. ErrLeaseHeld: somebody else is at
// it.
func (ks *vexaKeys) mintAlone(
	ctx context.Context, who, acc Account, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time,
) (*openKey, error) {
	lease, release, err := ks.lease(ctx, "mint:"+acc.ID+":"+string(scopes))
	if err != nil {
		return nil, err
	}
	defer release()
	acc, k, err := ks.stored(ctx, acc.ID, g, scopes, until)
	if err != nil || k != nil {
		return k, err
	}
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	k, result, err := ks.mint(ctx, lease, who, acc, g, scopes)
	ks.minted(result)
	if err != nil {
		return nil, fmt.Errorf("mint a key for account %s: %w", acc.ID, err)
	}
	return k, nil
}

// mint makes one key. Whatever happens on the way, either the key is active in the end, or the store knows
// what is to be cleaned up: the intent, whose name the token at Vexa bears, or a key to be revoked (S6).
func (ks *vexaKeys) mint(
	ctx context.Context, lease Lease, who, acc Account, g rule.Grant, scopes rule.Scopes,
) (*openKey, string, error) {
	start := ks.now()
	if who.Presented {
		g.MaxConcurrentBots = nil // is the person's, whatever one token of theirs says
	}
	if err := ks.sameUser(ctx, acc, g); err != nil {
		return nil, MintFailed, err
	}
	if err := ks.clearIntents(ctx, acc, scopes); err != nil {
		return nil, MintFailed, err
	}
	epoch := ks.cache.epoch.Load()
	key, lifetime, err := ks.intendKey(ctx, lease, acc, g, scopes)
	if err != nil {
		return nil, MintFailed, err
	}
	minted, err := ks.vexa.Mint(ctx, acc.VexaUserID, scopes.List(), ks.tokenName(key), lifetime)
	if err != nil {
		if !vexa.Uncertain(err) {
			ks.forgetIntent(ctx, key)
		}
		return nil, MintFailed, err
	}
	key.VexaTokenID = minted.ID
	if got := rule.NewScopes(minted.Scopes...); got != scopes { // V8
		ks.abandon(ctx, key, "it has other scopes than asked for")
		return nil, MintWrongScopes, &vexa.Error{
			Op: "mint token", Kind: vexa.ErrNotAdminAPI,
			Err: fmt.Errorf("asked for the scopes %s, got %s", scopes, got),
		}
	}
	if key.Sealed, err = ks.ring.Seal(keyring.VexaKey, []byte(minted.Secret), sealedFor(key)); err != nil {
		ks.abandon(ctx, key, "it could not be sealed")
		return nil, MintAbandoned, err
	}
	if err := ks.activate(ctx, lease, who, acc, key, ks.now().Sub(start)); err != nil {
		ks.abandon(ctx, key, "account or lease changed meanwhile")
		return nil, MintAbandoned, err
	}
	k := opened(key, minted.Secret)
	ks.cache.put(k, epoch)
	return k, MintDone, nil
}

// sameUser makes sure that the Vexa user is still who it was when the account was bound, and may run as many
// bots as the grant says. Ids start again at 1 when a Vexa is set up anew: a key for the same id would then
// open a stranger's data (S3).
func (ks *vexaKeys) sameUser(ctx context.Context, acc Account, g rule.Grant) error {
	// First what it had before a suspension, then what the grant says.
	if err := ks.users.settleBotBlock(ctx, acc.VexaUserID); err != nil {
		return err
	}
	user, err := ks.vexa.User(ctx, acc.VexaUserID)
	switch {
	case errors.Is(err, vexa.ErrUserNotFound):
		return ks.lostUser(ctx, acc,
			fmt.Sprintf("Vexa has no user %d any more: was it set up anew?", acc.VexaUserID))
	case err != nil:
		return err
	case !address.Same(user.Email, acc.VexaEmail):
		return ks.lostUser(ctx, acc,
			fmt.Sprintf("Vexa's user %d has another address now: was it set up anew?", acc.VexaUserID))
	case g.MaxConcurrentBots != nil && *g.MaxConcurrentBots != user.MaxConcurrentBots:
		return ks.vexa.SetMaxBots(ctx, user.ID, *g.MaxConcurrentBots)
	}
	return nil
}

// lostUser stops an account whose Vexa user is not what it was, and raises the alarm.
func (ks *vexaKeys) lostUser(ctx context.Context, acc Account, why string) error {
	ks.log.ErrorContext(ctx, "account stopped until an admin decides: its Vexa user is not who it was",
		"account", acc.ID, "vexa_user_id", acc.VexaUserID, "reason", why)
	err := ks.change(ctx, "stop the account", func(c *change) error {
		now, err := c.Account(acc.ID)
		if err != nil {
			return err
		}
		if now.Status != Active || now.VexaUserID != acc.VexaUserID {
			acc = now
			return nil
		}
		now.Status, now.Reason = Pending, why
		acc = now
		if err := c.PutAccount(now); err != nil {
			return err
		}
		if err := c.revokeWider(acc.ID, ""); err != nil {
			return err
		}
		e := about(acc, EventAccountPending)
		e.Reason = why
		if err := c.record(e); err != nil {
			return err
		}
		return c.Publish(Revocation{At: c.now, Kind: RevokeGrant, Account: acc.ID, Reason: why})
	})
	if err != nil {
		return err
	}
	ks.forgetAccount(acc.ID)
	return statusError(acc)
}

// intendKey writes down that a key is about to be minted, and returns it with the lifetime to ask for.
func (ks *vexaKeys) intendKey(
	ctx context.Context, lease Lease, acc Account, g rule.Grant, scopes rule.Scopes,
) (Key, time.Duration, error) {
	lifetime := max(cmp.Or(g.KeyLifetime, rule.DefaultKeyLifetime), minLifetime).Round(time.Second)
	key := Key{
		ID: ks.random.id(), AccountID: acc.ID, VexaUserID: acc.VexaUserID, Scopes: scopes,
		State: KeyMinting,
	}
	err := ks.change(ctx, "write the intent to mint", func(c *change) error {
		if err := c.CheckLease(lease); err != nil {
			return err
		}
		if err := c.stillBound(acc); err != nil {
			return err
		}
		key.CreatedAt = c.now
		key.ExpiresAt = c.now.Add(lifetime - min(lifetime/10, maxMargin))
		return c.PutKey(key)
	})
	return key, lifetime, err
}

// activate makes a minted key usable, if the account and the lease are what they were.
func (ks *vexaKeys) activate(
	ctx context.Context, lease Lease, who, acc Account, key Key, took time.Duration,
) error {
	key.State = KeyActive
	return ks.change(ctx, "activate the key", func(c *change) error {
		if err := c.CheckLease(lease); err != nil {
			return err
		}
		if err := c.stillBound(acc); err != nil {
			return err
		}
		if err := c.stillGranted(who, key.Scopes); err != nil {
			return err
		}
		intent, err := c.Key(key.ID)
		if errors.Is(err, ErrNotFound) || err == nil && intent.State != KeyMinting {
			return errors.New("the intent was cleaned up meanwhile")
		}
		if err != nil {
			return err
		}
		if err := c.PutKey(key); err != nil {
			return err
		}
		if err := c.replaceKeys(key, ks.opens, ks.grace); err != nil {
			return err
		}
		e := about(acc, EventKeyMinted)
		e.Reason, e.CredentialID, e.VexaTokenID = "scopes "+string(key.Scopes), key.ID, key.VexaTokenID
		e.TookMS = took.Milliseconds()
		return c.record(e)
	})
}

// stillGranted makes sure that the rules of now give who asks for a key what the key has: they, or the
// account, may have changed while Vexa was asked. What a bearer token proved does not change.
func (c *change) stillGranted(who Account, scopes rule.Scopes) error {
	now, err := c.Account(who.ID)
	if err != nil {
		return err
	}
	if who.Presented {
		now.Identity, now.Within = who.Identity, who.Within
	}
	d := c.ledger.decide(now)
	switch {
	case !d.Allowed:
		return &Error{Code: d.Code, Message: d.Reason}
	case !d.Grant.Scopes.Covers(scopes):
		return &Error{
			Code: CodeScopeMissing,
			Message: "Your access to Vexa no longer includes what this request needs. Ask your " +
				"administrator.",
		}
	}
	return nil
}

// stillBound makes sure that the account may have keys of the Vexa user that it had.
func (c *change) stillBound(acc Account) error {
	now, err := c.Account(acc.ID)
	if err != nil {
		return err
	}
	if err := statusError(now); err != nil {
		return err
	}
	if now.VexaUserID != acc.VexaUserID {
		return errors.New("the account was bound to another Vexa user meanwhile")
	}
	return nil
}

// abandon has a key deleted that was minted but must not be used. If not even that can be written down, the
// key is found by its name later.
func (ks *vexaKeys) abandon(ctx context.Context, key Key, why string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	ks.log.WarnContext(ctx, "minted key not used, it will be deleted: "+why, "key", key.ID,
		"account", key.AccountID, "vexa_token_id", key.VexaTokenID)
	err := ks.change(ctx, "abandon the key", func(c *change) error { return c.revokeKey(key) })
	if err != nil {
		ks.log.WarnContext(ctx, "unused key not marked for deletion; the reconciler will find it by its name",
			"key", key.ID, "error", err)
	}
	ks.wake()
}

// forgetIntent takes back an intent of which nothing can have come. It is no matter if that fails: the
// reconciler does it too.
func (ks *vexaKeys) forgetIntent(ctx context.Context, key Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := ks.change(ctx, "take back the intent to mint", func(c *change) error {
		return c.DeleteKey(key.ID)
	}); err != nil {
		ks.log.WarnContext(ctx, "intent to mint not taken back; the reconciler will do it", "key", key.ID,
			"error", err)
	}
}
