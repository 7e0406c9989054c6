package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/upstream"
)

// Revoker writes revocations to the store. *mapping.Accounts implements it.
type Revoker interface {
	Revoke(ctx context.Context, r mapping.Revocation, actor string) error
	SignOutEverywhere(ctx context.Context, account, reason, actor string) error
	AccessEnded(ctx context.Context, account, provider string, said *oidc.Error) error
}

// revocations applies a revocation on this replica: it drops cached callers and ends open streams.
type revocations struct {
	accounts Revoker
	callers  *caller.Identifier
	streams  *upstream.Streams
	now      func() time.Time
}

// End writes a revocation and applies it here at once; the other replicas apply it within a second.
func (v *revocations) End(ctx context.Context, r mapping.Revocation, actor string) error {
	if err := v.accounts.Revoke(ctx, r, actor); err != nil {
		return err
	}
	v.Apply(r)
	return nil
}

// SignOutEverywhere is [mapping.Accounts.SignOutEverywhere], applied here at once.
func (v *revocations) SignOutEverywhere(ctx context.Context, account, reason, actor string) error {
	if err := v.accounts.SignOutEverywhere(ctx, account, reason, actor); err != nil {
		return err
	}
	v.Apply(mapping.Revocation{At: v.now(), Kind: mapping.RevokeAccount, Account: account, Reason: reason})
	return nil
}

// AccessEnded is [mapping.Accounts.AccessEnded], applied here at once.
func (v *revocations) AccessEnded(
	ctx context.Context, account, provider string, said *oidc.Error,
) error {
	if err := v.accounts.AccessEnded(ctx, account, provider, said); err != nil {
		return err
	}
	v.Apply(mapping.Revocation{At: v.now(), Kind: mapping.RevokeAccount, Account: account, Reason: said.Code})
	return nil
}

// Apply applies a revocation on this replica. It is idempotent.
func (v *revocations) Apply(r mapping.Revocation) {
	switch r.Kind {
	case mapping.RevokeSession:
		v.endCredentials(r.Account, r.Session)
	case mapping.RevokeToken:
		v.endCredentials(r.Account, r.Token)
	case mapping.RevokeAccount:
		v.endCredentials(r.Account, "")
	case mapping.RevokeGrant:
		v.callers.Reload(r.Account)
		v.streams.Doubt(r.Account)
	case mapping.RevokeEverything:
		v.callers.ReloadAll()
		v.streams.DoubtAll()
	}
}

// endCredentials ends one credential of an account, or all when id is empty.
func (v *revocations) endCredentials(account, id string) {
	v.callers.End(account, id)
	v.streams.End(account, id)
}

// CutStreams ends every open stream and refuses new ones: a program that stops tells its clients so. It
// returns when all WebSockets have ended, of which http.Server.Shutdown does not know.
func (v *revocations) CutStreams() { v.streams.Close() }

// looksAtATime is how many accounts' streams are looked at again at a time: after a change of the rules that
// is all of them, and each look reads the store.
const looksAtATime = 8

// Run does the background work of the edge until ctx ends: it ends streams whose session has expired, or all
// when the store is away beyond its grace, looks again at those that are in doubt, and writes last-seen
// times. None of these waits for another.
func (p *Proxy) Run(ctx context.Context) error {
	var background sync.WaitGroup
	background.Go(func() { every(ctx, time.Second, p.sweep) })
	for range looksAtATime {
		background.Go(func() { p.lookAgain(ctx) })
	}
	every(ctx, 10*time.Second, p.flush)
	background.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return p.callers.Flush(last)
}

// every calls do again and again until ctx ends.
func every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do(ctx)
		}
	}
}

func (p *Proxy) flush(ctx context.Context) {
	if err := p.callers.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		p.edge.Log.Warn("last-seen times could not be written; will be retried", "error", err)
	}
}

// sweep ends the streams that must not go on: their session has expired, or the store has been away beyond
// its grace (S5). Those for whom the rules have changed are looked at again.
func (p *Proxy) sweep(context.Context) {
	if !p.health.store.Usable() {
		p.streams.EndAll()
		return
	}
	now := p.edge.Now()
	p.streams.Sweep(now, func(c *caller.Caller, address string) { p.callers.Touch(c, address, now) })
	p.streams.Follow(p.rules.Current())
}

// lookAgain looks at the accounts in doubt, one after another.
func (p *Proxy) lookAgain(ctx context.Context) {
	for {
		account, ok := p.streams.NextInDoubt(ctx)
		if !ok {
			return
		}
		p.streams.Looked(account, !p.recheck(ctx, account))
	}
}

// recheck reads the callers of an account's streams again, and ends the streams whose credential is gone or
// that the caller's scopes of now no longer cover. It returns false after an error that says neither.
func (p *Proxy) recheck(ctx context.Context, id string) (ok bool) {
	ok = true
	for _, c := range p.streams.Callers(id) {
		fresh, err := p.callers.Again(ctx, c)
		switch {
		case err == nil:
			p.streams.Keep(c, fresh, p.callers.See(fresh))
		case caller.RefusesAccess(err):
			p.streams.EndOf(c)
		default:
			ok = false
		}
	}
	return ok
}
