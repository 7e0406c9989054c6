package proxy

import (
	"context"
	"errors"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/upstream"
)

// Revoker ends things for good. *mapping.Accounts does.
type Revoker interface {
	Revoke(ctx context.Context, r mapping.Revocation, actor string) error
	SignOutEverywhere(ctx context.Context, account, reason, actor string) error
}

// revocations is what a revocation does on this replica: who is remembered is
// forgotten, and open streams end.
type revocations struct {
	accounts Revoker
	callers  *caller.Identifier
	streams  *upstream.Streams
	now      func() time.Time
}

// End revokes, and does here at once what every replica is about to hear of.
func (v *revocations) End(ctx context.Context, r mapping.Revocation, actor string) error {
	if err := v.accounts.Revoke(ctx, r, actor); err != nil {
		return err
	}
	v.Apply(r)
	return nil
}

// SignOutEverywhere ends all that an account has, as
// [mapping.Accounts.SignOutEverywhere] does, and here at once.
func (v *revocations) SignOutEverywhere(ctx context.Context, account, reason, actor string) error {
	if err := v.accounts.SignOutEverywhere(ctx, account, reason, actor); err != nil {
		return err
	}
	v.Apply(mapping.Revocation{At: v.now(), Kind: mapping.RevokeAccount, Account: account, Reason: reason})
	return nil
}

// Apply does what a revocation means on this replica. It is idempotent.
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

// CutStreams ends every open stream and lets no other begin: a program that stops tells its clients so. It
// returns when the WebSockets, of which the http.Server does not know, have ended.
func (v *revocations) CutStreams() { v.streams.Close() }

// Run does what happens besides requests, until ctx ends: last-seen times are written, sessions that are over
// are deleted, streams end with their sessions or when the store stays away beyond its grace.
func (p *Proxy) Run(ctx context.Context) error {
	second, flush, purge := time.NewTicker(time.Second), time.NewTicker(10*time.Second),
		time.NewTicker(10*time.Minute)
	defer second.Stop()
	defer flush.Stop()
	defer purge.Stop()
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
		case <-purge.C:
			if err := p.callers.PurgeSessions(ctx); err != nil && !errors.Is(err, context.Canceled) {
				p.edge.Log.Warn("expired sessions could not be deleted; will be retried", "error", err)
			}
		}
	}
}

// sweep ends the streams that may not go on: their session is over, the store has been away too long (S5), or
// what their account may do has shrunk.
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

// recheck ends the streams of an account that it may no longer have: their credential is gone, or what it may
// do now does not cover them. What cannot be read now stays in doubt.
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
