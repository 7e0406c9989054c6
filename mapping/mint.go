package mapping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	m := &minting{
		vexaKeys: ks, who: who, grant: g, scopes: scopes, started: ks.now(), began: ks.cache.drops.Last(),
	}
	k, err := m.begin(ctx, acc.ID, until)
	if err != nil || k != nil {
		return k, err
	}
	m.lease = ks.hold(ctx, m.acquired)
	defer m.lease.release()
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	k, result, err := m.mint(ctx)
	ks.minted(result)
	if err != nil {
		return nil, fmt.Errorf("mint a key for account %s: %w", acc.ID, err)
	}
	return k, nil
}

// minting is one attempt to mint one key, under its lease.
type minting struct {
	*vexaKeys
	who      Account // as its caller was authenticated
	grant    rule.Grant
	scopes   rule.Scopes
	started  time.Time
	began    int64 // drops.Last of the cache, from before the store was read
	acquired Lease
	lease    *heldLease

	acc      Account // as it was when the lease was taken
	key      Key     // the intent; none while something is to be cleared up first
	lifetime time.Duration
}

// begin takes the lease, sees whether somebody has minted the key meanwhile, and writes down that it is about
// to be minted, all in one transaction. Where earlier attempts or a bot block are to be cleared up at Vexa
// first, the intent waits for that.
func (m *minting) begin(
	ctx context.Context, accountID string, until func(Key) time.Time,
) (k *openKey, err error) {
	err = m.change(ctx, "begin to mint", func(c *change) error {
		k, m.key = nil, Key{}
		if m.acc, err = c.Account(accountID); err != nil {
			return err
		}
		if err := statusError(m.acc); err != nil {
			return err
		}
		keys, err := c.Keys(accountID)
		if err != nil {
			return err
		}
		if k = m.usable(ctx, m.acc, keys, m.scopes, until); k != nil {
			return nil
		}
		if m.acquired, err = c.AcquireLease("mint:"+accountID+":"+string(m.scopes), leaseTime); err != nil {
			return err
		}
		_, err = c.BotBlock(m.acc.VexaUserID)
		if !errors.Is(err, ErrNotFound) || slices.ContainsFunc(keys, m.isEarlier) {
			return ignoring(ErrNotFound, err)
		}
		return m.intend(c)
	})
	if err == nil && k != nil {
		m.keep(k, m.began)
	}
	return k, err
}

// isEarlier says whether a key is the intent of an earlier attempt to mint this very one.
func (m *minting) isEarlier(k Key) bool { return k.State == KeyMinting && k.Scopes == m.scopes }

// mint makes the key. Whatever happens on the way, either the key is active in the end, or the store knows
// what is to be cleaned up: the intent, whose name the token at Vexa bears, or a key to be revoked (S6).
func (m *minting) mint(ctx context.Context) (*openKey, string, error) {
	if m.who.Presented {
		m.grant.MaxConcurrentBots = nil // is the person's, whatever one token of theirs says
	}
	if err := m.clear(ctx); err != nil {
		return nil, MintFailed, err
	}
	if err := m.sameUser(ctx, m.acc, m.grant); err != nil {
		m.forgetIntent(ctx, m.key)
		return nil, MintFailed, err
	}
	minted, err := m.vexa.Mint(ctx, m.acc.VexaUserID, m.scopes.List(), m.tokenName(m.key), m.lifetime)
	if err != nil {
		if !vexa.Uncertain(err) {
			m.forgetIntent(ctx, m.key)
		}
		return nil, MintFailed, err
	}
	m.key.VexaTokenID = minted.ID
	if got := rule.NewScopes(minted.Scopes...); got != m.scopes { // V8
		m.abandon(ctx, m.key, "it has other scopes than asked for")
		return nil, MintWrongScopes, &vexa.Error{
			Op: "mint token", Kind: vexa.ErrNotAdminAPI,
			Err: fmt.Errorf("asked for the scopes %s, got %s", m.scopes, got),
		}
	}
	if m.key.Sealed, err = m.ring.Seal(keyring.VexaKey, []byte(minted.Secret), sealedFor(m.key)); err != nil {
		m.abandon(ctx, m.key, "it could not be sealed")
		return nil, MintAbandoned, err
	}
	if err := m.activate(ctx); err != nil {
		m.abandon(ctx, m.key, "account or lease changed meanwhile")
		return nil, MintAbandoned, err
	}
	k := opened(m.key, minted.Secret)
	m.cache.put(k, m.began)
	return k, MintDone, nil
}

// clear does at Vexa what has to come before the intent, and then writes that, unless it is written.
func (m *minting) clear(ctx context.Context) error {
	if m.key.ID != "" {
		return nil
	}
	// What the user had before a suspension comes before what the grant says.
	if err := m.users.settleBotBlock(ctx, m.acc.VexaUserID); err != nil {
		return err
	}
	if err := m.clearIntents(ctx, m.acc, m.scopes); err != nil {
		return err
	}
	return m.change(ctx, "write the intent to mint", func(c *change) error {
		if err := c.stillBound(m.acc); err != nil {
			return err
		}
		if err := c.CheckLease(m.lease.Lease); err != nil {
			return err
		}
		return m.intend(c)
	})
}

// intend writes down that the key is about to be minted.
func (m *minting) intend(c *change) error {
	m.lifetime = max(cmp.Or(m.grant.KeyLifetime, rule.DefaultKeyLifetime), minLifetime).Round(time.Second)
	m.key = Key{
		ID: m.random.id(), AccountID: m.acc.ID, VexaUserID: m.acc.VexaUserID, Scopes: m.scopes,
		State: KeyMinting, CreatedAt: c.now,
		ExpiresAt: c.now.Add(m.lifetime - min(m.lifetime/10, maxMargin)),
	}
	return c.PutKey(m.key)
}

// sameUser makes sure that the Vexa user is still who it was when the account was bound, and may run as many
// bots as the grant says. Ids start again at 1 when a Vexa is set up anew: a key for the same id would then
// open a stranger's data (S3).
func (ks *vexaKeys) sameUser(ctx context.Context, acc Account, g rule.Grant) error {
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

// activate makes a minted key usable, if the account and the lease are what they were,
// and gives the lease back.
func (m *minting) activate(ctx context.Context) error {
	key := m.key
	key.State = KeyActive
	took := m.now().Sub(m.started)
	err := m.change(ctx, "activate the key", func(c *change) error {
		if err := c.stillBound(m.acc); err != nil {
			return err
		}
		if err := c.CheckLease(m.lease.Lease); err != nil {
			return err
		}
		if err := c.stillGranted(m.who, key.Scopes); err != nil {
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
		if err := c.replaceKeys(key, m.opens, m.grace); err != nil {
			return err
		}
		e := about(m.acc, EventKeyMinted)
		e.Reason, e.CredentialID, e.VexaTokenID = "scopes "+string(key.Scopes), key.ID, key.VexaTokenID
		e.TookMS = took.Milliseconds()
		return errors.Join(c.record(e), m.lease.releaseIn(c))
	})
	m.lease.returned = err == nil
	return err
}

// stillGranted makes sure that the rules of now give who asks for a key what the key has: they, or the
// account, may have changed while Vexa was asked. What a bearer token proved does not change.
func (c *change) stillGranted(who Account, scopes rule.Scopes) error {
	now, err := c.Account(who.ID)
	if err != nil {
		return err
	}
	d := c.decideFor(who, now)
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

// decideFor says what the account, as it is now, gives who was authenticated as it.
func (c *change) decideFor(who, now Account) rule.Decision {
	if who.Presented {
		now.Identity, now.Within = who.Identity, who.Within
	}
	return c.ledger.decide(now)
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
	err := ks.change(ctx, "abandon the key", func(c *change) error {
		if _, err := c.Account(key.AccountID); err != nil {
			return err
		}
		return c.revokeKey(key)
	})
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
