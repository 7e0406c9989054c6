package mapping

import (
	"context"
	"errors"
)

// Renew replaces the keys that this replica has used and that are in the last third of their life. The old
// ones stay good for a while: requests and other replicas may still use them. A key that nobody uses is left
// to expire.
func (a *Accounts) Renew(ctx context.Context) error { return a.keys.renewDue(ctx) }

func (ks *vexaKeys) renewDue(ctx context.Context) error {
	var failed error
	for _, k := range ks.cache.dueForRenewal(ks.now()) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = errors.Join(failed, ks.renew(ctx, k))
	}
	return failed
}

func (ks *vexaKeys) renew(ctx context.Context, k *openKey) error {
	acc, err := ks.account(ctx, k.account)
	if err != nil {
		return err
	}
	g := grantOf(ks.decide(acc))
	if statusError(acc) != nil || !g.Scopes.Covers(k.scopes) {
		ks.cache.forgetKey(k.account, k.id) // whoever asks again will be told why
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	_, err = ks.obtain(ctx, acc, g, k.scopes, renewal)
	return err
}
