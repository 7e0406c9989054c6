package mapping

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vexa-sso/mapping/rule"
)

// RotateKeys mints a new key for each scope set that the account has an active key of, or only for that of
// the key with this id, and returns the new keys' ids. Every replica uses the new ones at once; the
// old ones are deleted at Vexa when the grace is over (Config.KeyGrace). The error is an *Objection, an
// *Error or ErrNotFound.
func (a *Accounts) RotateKeys(
	ctx context.Context, accountID, keyID, actor string,
) (minted []string, err error) {
	acc, err := a.Account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if err := statusError(acc); err != nil {
		return nil, err
	}
	sets, err := a.keys.scopeSets(ctx, acc.ID, keyID)
	if err != nil {
		return nil, err
	}
	g := grantOf(a.decide(acc))
	for _, scopes := range sets {
		if !g.Scopes.Covers(scopes) {
			return minted, &Objection{
				fmt.Sprintf("account %s is no longer granted %s: that key is about to be revoked", acc.ID,
					scopes),
				"",
			}
		}
		k, err := a.keys.mintAnew(ctx, acc, g, scopes)
		if err != nil {
			return minted, asError(err)
		}
		minted = append(minted, k.id)
	}
	if len(minted) == 0 {
		return nil, nil
	}
	r := Revocation{Kind: RevokeGrant, Account: acc.ID, Reason: "keys rotated"}
	err = a.revoke(ctx, r, func(c *change, acc Account) error {
		for _, id := range minted {
			e := about(acc, EventKeyRotateAsked)
			e.Actor, e.CredentialID = actor, id
			if err := c.record(e); err != nil {
				return err
			}
		}
		return nil
	})
	return minted, err
}

// scopeSets returns those of an account's active keys, or that of one key.
func (ks *vexaKeys) scopeSets(ctx context.Context, accountID, keyID string) (sets []rule.Scopes, err error) {
	keys, err := ks.of(ctx, accountID)
	if err != nil {
		return nil, err
	}
	found := false
	for _, k := range keys {
		if keyID != "" && k.ID != keyID {
			continue
		}
		found = true
		if k.State == KeyActive && !slices.Contains(sets, k.Scopes) {
			sets = append(sets, k.Scopes)
		}
	}
	switch {
	case keyID != "" && !found:
		return nil, fmt.Errorf("key %s: %w", keyID, ErrNotFound)
	case keyID != "" && len(sets) == 0:
		return nil, &Objection{"key " + keyID + " is not active, so there is nothing to rotate", ""}
	}
	return sets, nil
}

// mintAnew mints a key whatever there is.
func (ks *vexaKeys) mintAnew(
	ctx context.Context, acc Account, g rule.Grant, scopes rule.Scopes,
) (*openKey, error) {
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	return ks.obtain(ctx, acc, g, scopes, func(Key) time.Time { return time.Time{} })
}
