package mapping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// Results of minting, as Deps.Minted is told.
const (
	MintDone        = "done"
	MintFailed      = "failed"       // Vexa did not answer, or said no
	MintWrongScopes = "wrong_scopes" // Vexa gave a key with other scopes than asked; it is deleted
	MintAbandoned   = "abandoned"    // the account changed, or the lease was lost, meanwhile; the key is deleted
)

const (
	obtainTimeout = 30 * time.Second       // binding and minting for one account, waiting included
	mintTimeout   = 25 * time.Second       // of which one mint, all its calls together
	mintLease     = 45 * time.Second       // longer than mintTimeout, so that it is never lost to a mint that still runs
	firstWait     = 20 * time.Millisecond  // for another replica's mint, then twice as long each time …
	longestWait   = 500 * time.Millisecond // … up to this
	minLifetime   = time.Minute            // of a key; shorter ones would be minted all the time, and 0 is for ever to Vexa
	maxMargin     = 5 * time.Minute        // how long before Vexa does we stop using a key
)

// Key returns a Vexa key of the account with exactly these scopes, which must be within the grant: its secret, its id and when it
// must not be used any more. It comes from memory, else from the store, else it is minted, once however many callers on
// however many replicas wait for it (S6); the account is bound to its Vexa user before. The error is an *Error, or ErrNotFound for
// an account that there is not.
func (a *Accounts) Key(ctx context.Context, acc Account, g rule.Grant, scopes rule.Scopes) (secret, keyID string, expires time.Time, err error) {
	if err := standing(acc); err != nil {
		return "", "", time.Time{}, err
	}
	if scopes == "" || scopes != g.Scopes && !g.Scopes.Covers(scopes) {
		return "", "", time.Time{}, &Error{Code: CodeScopeMissing, Message: "Your access to Vexa does not include what this needs."}
	}
	k, ok := a.keys.get(acc.ID, scopes, a.now())
	if !ok {
		if k, err = a.obtainOnce(ctx, acc, g, scopes); err != nil {
			return "", "", time.Time{}, asError(err)
		}
	}
	return k.secret, k.id, k.expires, nil
}

// obtainOnce obtains a key on behalf of all who wait for the same one here. It goes on when one of them gives up.
func (a *Accounts) obtainOnce(ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes) (*openKey, error) {
	flight := a.flights.DoChan(lengthPrefixed(who.ID, string(scopes)), func() (any, error) {
		a.flying.RLock()
		defer a.flying.RUnlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), obtainTimeout)
		defer cancel()
		return a.obtain(ctx, who, g, scopes, expiry)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-flight:
		if got.Err != nil {
			return nil, got.Err
		}
		k := got.Val.(*openKey)
		if k.account != who.ID || k.scopes != scopes { // D8
			return nil, errors.New("a key of another account was handed over")
		}
		return k, nil
	}
}

// obtain gets a key from the store or mints one. who is the account as its caller was let in; until says to which point in its life a stored key is good enough.
func (a *Accounts) obtain(ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time) (*openKey, error) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		acc, k, err := a.stored(ctx, who.ID, g, scopes, until)
		if err != nil || k != nil {
			return k, err
		}
		if !acc.Bound() {
			acc, err = a.bind(ctx, who.ID, g)
		}
		if err == nil {
			k, err = a.mintAlone(ctx, who, acc, g, scopes, until)
		}
		if !errors.Is(err, ErrLeaseHeld) {
			return k, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a key that another mints: %w", ctx.Err())
		case <-a.after(wait):
		}
	}
}

// stored returns the account and its newest usable key with these scopes, opened and kept in memory; nil when it has none. Keys
// with more than anybody is granted are revoked on the way.
func (a *Accounts) stored(ctx context.Context, accountID string, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time) (Account, *openKey, error) {
	epoch := a.keys.epoch.Load()
	var acc Account
	var keys []Key
	err := a.store.View(ctx, func(tx Tx) (err error) {
		if acc, err = tx.Account(accountID); err != nil {
			return err
		}
		keys, err = tx.Keys(accountID)
		return err
	})
	if err != nil {
		return acc, nil, fmt.Errorf("look up the key: %w", err)
	}
	if err := standing(acc); err != nil {
		return acc, nil, err
	}
	granted := g.Scopes.Union(grantOf(a.Decide(acc)).Scopes) // a bearer token may give less than the account has
	if slices.ContainsFunc(keys, func(k Key) bool { return wider(k, granted) }) {
		if err := a.change(ctx, "revoke keys that are too wide", func(c *change) error { return c.shrink(accountID, granted) }); err != nil {
			return acc, nil, err
		}
		a.wake()
	}
	now := a.now()
	slices.SortFunc(keys, func(x, y Key) int { return y.CreatedAt.Compare(x.CreatedAt) }) // as the reconciler keeps the newest
	for _, key := range keys {
		if key.State != KeyActive || key.Scopes != scopes || key.VexaUserID != acc.VexaUserID || !now.Before(until(key)) {
			continue
		}
		k, err := a.open(key)
		if err != nil {
			// Another replica may hold the ring that opens it: leave it alone, the newer of the two will stay.
			a.log.WarnContext(ctx, "stored key cannot be opened; minting another", "key", key.ID, "account", accountID, "error", err)
			continue
		}
		a.keys.put(k, epoch)
		if a.ring.Stale(key.Sealed) {
			a.worn.add(key.ID)
			a.wake()
		}
		return acc, k, nil
	}
	return acc, nil, nil
}

// expiry and renewal are the two points in a key's life that matter: from renewal on it is replaced in the background, from expiry
// on it is not used.
func expiry(k Key) time.Time  { return k.ExpiresAt }
func renewal(k Key) time.Time { return k.CreatedAt.Add(k.ExpiresAt.Sub(k.CreatedAt) * 2 / 3) }

// wider says whether a usable key has more than scopes.
func wider(k Key, scopes rule.Scopes) bool { return k.State == KeyActive && !scopes.Covers(k.Scopes) }

// open opens a stored key.
func (a *Accounts) open(key Key) (*openKey, error) {
	secret, err := a.ring.Open(keyring.VexaKey, key.Sealed, sealedFor(key))
	if err != nil {
		return nil, err
	}
	return opened(key, string(secret)), nil
}

func opened(key Key, secret string) *openKey {
	return &openKey{id: key.ID, account: key.AccountID, scopes: key.Scopes, secret: secret, renew: renewal(key), expires: key.ExpiresAt}
}

// sealedFor is what a key's secret is sealed to: its place in the store.
func sealedFor(key Key) []byte { return []byte(lengthPrefixed(key.AccountID, key.ID)) }

// mintAlone mints a key if, with the lease in hand, there still is none. ErrLeaseHeld: somebody else is at it.
func (a *Accounts) mintAlone(ctx context.Context, who, acc Account, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time) (*openKey, error) {
	lease, release, err := a.lease(ctx, "mint:"+acc.ID+":"+string(scopes), mintLease)
	if err != nil {
		return nil, err
	}
	defer release()
	acc, k, err := a.stored(ctx, acc.ID, g, scopes, until)
	if err != nil || k != nil {
		return k, err
	}
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	k, result, err := a.mint(ctx, lease, who, acc, g, scopes)
	a.minted(result)
	if err != nil {
		return nil, fmt.Errorf("mint a key for account %s: %w", acc.ID, err)
	}
	return k, nil
}

// mint makes one key. Whatever happens on the way, either the key is active in the end, or the store knows what is to be cleaned
// up: the intent, whose name the token at Vexa bears, or a key to be revoked (S6).
func (a *Accounts) mint(ctx context.Context, lease Lease, who, acc Account, g rule.Grant, scopes rule.Scopes) (*openKey, string, error) {
	start := a.now()
	if who.Presented {
		g.MaxConcurrentBots = nil // is the person's, whatever one token of theirs says
	}
	if err := a.sameUser(ctx, acc, g); err != nil {
		return nil, MintFailed, err
	}
	if err := a.settleIntents(ctx, acc, scopes); err != nil {
		return nil, MintFailed, err
	}
	epoch := a.keys.epoch.Load()
	key, lifetime, err := a.intendKey(ctx, lease, acc, g, scopes)
	if err != nil {
		return nil, MintFailed, err
	}
	minted, err := a.vexa.Mint(ctx, acc.VexaUserID, scopes.List(), a.tokenName(key), lifetime)
	if err != nil {
		if !vexa.Uncertain(err) {
			a.forgetIntent(ctx, key)
		}
		return nil, MintFailed, err
	}
	key.VexaTokenID = minted.ID
	if got := rule.NewScopes(minted.Scopes...); got != scopes { // V8
		a.abandon(ctx, key, "minted with other scopes than asked")
		return nil, MintWrongScopes, &vexa.Error{
			Op: "mint token", Kind: vexa.ErrNotAdminAPI,
			Err: fmt.Errorf("asked for the scopes %s, got %s", scopes, got),
		}
	}
	if key.Sealed, err = a.ring.Seal(keyring.VexaKey, []byte(minted.Secret), sealedFor(key)); err != nil {
		a.abandon(ctx, key, "could not be sealed")
		return nil, MintAbandoned, err
	}
	if err := a.activate(ctx, lease, who, acc, key, a.now().Sub(start)); err != nil {
		a.abandon(ctx, key, "minted too late")
		return nil, MintAbandoned, err
	}
	k := opened(key, minted.Secret)
	a.keys.put(k, epoch)
	return k, MintDone, nil
}

// sameUser makes sure that the Vexa user is still who it was when the account was bound, and may run as many bots as the grant
// says. Ids start again at 1 when a Vexa is set up anew: a key for the same id would then open a stranger's data (S3).
func (a *Accounts) sameUser(ctx context.Context, acc Account, g rule.Grant) error {
	if err := a.settleHoldOf(ctx, acc.VexaUserID); err != nil { // first what it had before a suspension, then what the grant says
		return err
	}
	user, err := a.vexa.User(ctx, acc.VexaUserID)
	switch {
	case errors.Is(err, vexa.ErrUserNotFound):
		return a.lostUser(ctx, acc, fmt.Sprintf("Vexa has no user %d any more: was it set up anew?", acc.VexaUserID))
	case err != nil:
		return err
	case vexa.NormalEmail(user.Email) != vexa.NormalEmail(acc.VexaEmail):
		return a.lostUser(ctx, acc, fmt.Sprintf("Vexa's user %d has another address now: was it set up anew?", acc.VexaUserID))
	case g.MaxConcurrentBots != nil && *g.MaxConcurrentBots != user.MaxConcurrentBots:
		return a.vexa.SetMaxBots(ctx, user.ID, *g.MaxConcurrentBots)
	}
	return nil
}

// lostUser stops an account whose Vexa user is not what it was, and raises the alarm.
func (a *Accounts) lostUser(ctx context.Context, acc Account, why string) error {
	a.log.ErrorContext(ctx, "an account's Vexa user is not the one that it was bound to", "account", acc.ID, "vexa_user_id", acc.VexaUserID, "reason", why)
	err := a.change(ctx, "stop the account", func(c *change) error {
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
		if err := c.shrink(acc.ID, ""); err != nil {
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
	a.keys.forgetAccount(acc.ID)
	a.wake()
	return standing(acc)
}

// intendKey writes down that a key is about to be minted, and returns it with the lifetime to ask for.
func (a *Accounts) intendKey(ctx context.Context, lease Lease, acc Account, g rule.Grant, scopes rule.Scopes) (Key, time.Duration, error) {
	lifetime := max(cmp.Or(g.KeyLifetime, rule.DefaultKeyLifetime), minLifetime).Round(time.Second)
	key := Key{ID: a.newID(), AccountID: acc.ID, VexaUserID: acc.VexaUserID, Scopes: scopes, State: KeyMinting}
	err := a.change(ctx, "write the intent to mint", func(c *change) error {
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
func (a *Accounts) activate(ctx context.Context, lease Lease, who, acc Account, key Key, took time.Duration) error {
	key.State = KeyActive
	return a.change(ctx, "activate the key", func(c *change) error {
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
		e := about(acc, EventKeyMinted)
		e.Reason, e.CredentialID, e.VexaTokenID, e.TookMS = "scopes "+string(key.Scopes), key.ID, key.VexaTokenID, took.Milliseconds()
		return c.record(e)
	})
}

// stillGranted makes sure that the rules of now give who asks for a key what the key has: they, or the account, may have changed
// while Vexa was asked. What a bearer token proved does not change.
func (c *change) stillGranted(who Account, scopes rule.Scopes) error {
	now, err := c.Account(who.ID)
	if err != nil {
		return err
	}
	if who.Presented {
		now.Identity, now.Within = who.Identity, who.Within
	}
	d := c.a.Decide(now)
	switch {
	case !d.Allowed:
		return &Error{Code: d.Code, Message: d.Reason}
	case !d.Grant.Scopes.Covers(scopes):
		return &Error{Code: CodeScopeMissing, Message: "Your access to Vexa no longer includes what this needs."}
	}
	return nil
}

// stillBound makes sure that the account may have keys of the Vexa user that it had.
func (c *change) stillBound(acc Account) error {
	now, err := c.Account(acc.ID)
	if err != nil {
		return err
	}
	if err := standing(now); err != nil {
		return err
	}
	if now.VexaUserID != acc.VexaUserID {
		return errors.New("the account was bound to another Vexa user meanwhile")
	}
	return nil
}

// abandon has a key deleted that was minted but must not be used. If not even that can be written down, the key is found by its
// name later.
func (a *Accounts) abandon(ctx context.Context, key Key, why string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	a.log.WarnContext(ctx, "key abandoned: "+why, "key", key.ID, "account", key.AccountID, "vexa_token_id", key.VexaTokenID)
	err := a.change(ctx, "abandon the key", func(c *change) error { return c.revokeKey(key) })
	if err != nil {
		a.log.WarnContext(ctx, "abandoned key not written down; the reconciler will find it by its name", "key", key.ID, "error", err)
	}
	a.wake()
}

// forgetIntent takes back an intent of which nothing can have come. It is no matter if that fails: the reconciler does it too.
func (a *Accounts) forgetIntent(ctx context.Context, key Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.change(ctx, "take back the intent to mint", func(c *change) error { return c.DeleteKey(key.ID) }); err != nil {
		a.log.WarnContext(ctx, "intent to mint not taken back", "key", key.ID, "error", err)
	}
}

// tokenName is what a key is called at Vexa: it says whose it is (S6). It has at most 100 characters.
func (a *Accounts) tokenName(key Key) string {
	return strings.Join([]string{"vsso", a.instance, key.AccountID, key.ID}, ":")
}

// marks reads the instance and the key id off a token's name; both are empty for a token that no bridge has named.
func marks(name string) (instance, keyID string) {
	parts := strings.Split(name, ":")
	if len(parts) != 4 || parts[0] != "vsso" {
		return "", ""
	}
	return parts[1], parts[3]
}

// isToken says whether a token at Vexa is this key. Its name decides, not its id: ids start again when a Vexa is set up anew,
// and the token of that id may then be a stranger's. The instance may have been renamed since; the ids in the name are ours
// alone all the same.
func isToken(t vexa.Token, key Key) bool {
	return strings.HasPrefix(t.Name, "vsso:") && strings.HasSuffix(t.Name, ":"+key.AccountID+":"+key.ID)
}
