package mapping

import (
	"context"
	"errors"
)

// Renew replaces the keys that this replica has used and that are in the last third of their life. The old ones stay good for a
// while: requests and other replicas may still use them. A key that nobody uses is left to expire.
func (a *Accounts) Renew(ctx context.Context) error {
	var failed error
	for _, k := range a.keys.dueForRenewal(a.now()) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = errors.Join(failed, a.renewKey(ctx, k))
	}
	return failed
}

func (a *Accounts) renewKey(ctx context.Context, k *openKey) error {
	acc, err := a.Account(ctx, k.account)
	if err != nil {
		return err
	}
	g := grantOf(a.decide(acc))
	if standing(acc) != nil || !g.Scopes.Covers(k.scopes) {
		a.keys.forgetKey(k.id) // whoever asks again will be told why
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	_, err = a.obtain(ctx, acc, g, k.scopes, renewal)
	return err
}
