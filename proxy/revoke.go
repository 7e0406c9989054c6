package proxy

import (
	"context"
	"errors"
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
		v.streams.LookNow()
	case mapping.RevokeEverything:
		v.callers.ReloadAll()
		v.streams.DoubtAll()
		v.streams.LookNow()
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

// Run does the background work of the edge until ctx ends: it writes last-seen times, and
// ends streams whose session has expired, or all when the store is away beyond its grace.
func (p *Proxy) Run(ctx context.Context) error {
	second, flush := time.NewTicker(time.Second), time.NewTicker(10*time.Second)
	defer second.Stop()
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			return p.callers.Flush(last)
		case <-second.C:
			p.sweep(ctx)
		case <-p.streams.Look():
			p.sweep(ctx)
		case <-flush.C:
			if err := p.callers.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
				p.edge.Log.Warn("last-seen times could not be written; will be retried", "error", err)
			}
		}
	}
}

// sweep ends the streams that must not go on: their session has expired, the store has been away beyond its
// grace (S5), or what their account may do has shrunk.
func (p *Proxy) sweep(ctx context.Context) {
	if !p.health.store.Usable() {
		p.streams.EndAll()
		return
	}
	now := p.edge.Now()
	p.streams.Sweep(now, func(c *caller.Caller, address string) { p.callers.Touch(c, address, now) })
	for _, account := range p.streams.InDoubt(p.rules.Current()) {
		p.recheck(ctx, account)
	}
}

// recheck reads the callers of an account's streams again, and ends the streams whose credential is gone or
// that the caller's scopes of now no longer cover. After an error that says neither, the account is rechecked
// later.
func (p *Proxy) recheck(ctx context.Context, id string) {
	for _, c := range p.streams.Callers(id) {
		fresh, err := p.callers.Again(ctx, c)
		switch {
		case err == nil:
			p.streams.Keep(c, fresh, p.callers.See(fresh))
		case caller.RefusesAccess(err):
			p.streams.EndOf(c)
		default:
			p.streams.Doubt(id)
		}
	}
}
