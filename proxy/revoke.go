package proxy

import (
	"context"
	"errors"
	"time"

	"vexa-sso/mapping"
)

// Apply does what a revocation means on this replica. It is idempotent.
func (p *Proxy) Apply(r mapping.Revocation) {
	switch r.Kind {
	case mapping.RevokeSession:
		p.known.each(func(s *callers) { s.end(r.Account, r.Session) })
		p.streams.cut(r.Account, accessEnded, func(st *stream) bool { return st.caller.credentialID == r.Session })
	case mapping.RevokeToken:
		p.known.each(func(s *callers) { s.end(r.Account, r.Token) })
		p.streams.cut(r.Account, accessEnded, func(st *stream) bool { return st.caller.credentialID == r.Token })
	case mapping.RevokeAccount:
		p.known.each(func(s *callers) { s.end(r.Account, "") })
		p.streams.cut(r.Account, accessEnded, func(*stream) bool { return true })
	case mapping.RevokeGrant:
		p.known.each(func(s *callers) { s.refresh(r.Account) })
		p.streams.doubt(r.Account)
		p.streams.lookNow()
	case mapping.RevokeEverything:
		p.known.each((*callers).refreshAll)
		p.streams.doubtAll()
		p.streams.lookNow()
	}
}

// Run does what happens besides requests, until ctx ends: last-seen times are written, sessions that are over are deleted,
// streams end with their sessions or when the store stays away beyond its grace.
func (p *Proxy) Run(ctx context.Context) error {
	second, flush, purge := time.NewTicker(time.Second), time.NewTicker(10*time.Second), time.NewTicker(10*time.Minute)
	defer second.Stop()
	defer flush.Stop()
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			return p.used.flush(last, p.sessions, p.accounts)
		case <-second.C:
			p.sweep(ctx)
		case <-p.streams.look:
			p.sweep(ctx)
		case <-flush.C:
			if err := p.used.flush(ctx, p.sessions, p.accounts); err != nil && !errors.Is(err, context.Canceled) {
				p.log.Warn("last-seen times could not be written; trying again", "error", err)
			}
		case <-purge.C:
			now := p.now()
			if _, err := p.sessions.PurgeSessions(ctx, now, now.Add(-p.cfg.Session.Idle)); err != nil && !errors.Is(err, context.Canceled) {
				p.log.Warn("sessions that are over could not be deleted; trying again", "error", err)
			}
		}
	}
}

// sweep ends the streams that may not go on: their session is over, the store has been away too long (S5), or what their
// account may do has shrunk.
func (p *Proxy) sweep(ctx context.Context) {
	if !p.store.Usable() {
		p.streams.cutAll(storeAway)
		return
	}
	now := p.now()
	p.streams.sweep(now, func(st *stream) { p.used.touch(st.caller, st.from, now) })
	for _, account := range p.streams.inDoubt(p.rules.Current()) {
		p.recheck(ctx, account)
	}
}

// recheck ends the streams of an account that it may no longer have: their credential is gone, or what it may do now does not
// cover them. What cannot be read now stays in doubt.
func (p *Proxy) recheck(ctx context.Context, id string) {
	for _, c := range p.streams.callers(id) {
		fresh, err := p.again(ctx, c)
		switch {
		case err == nil:
			v := p.see(fresh)
			p.streams.cut(id, accessEnded, func(st *stream) bool {
				return st.caller == c && (!covers(v.scopes, st.route) || deniesRoute(v.decision.Grant.DenyRoutes, st.method, st.path))
			})
			p.streams.stands(c, fresh)
		case refusesAccess(err):
			p.streams.cut(id, accessEnded, func(st *stream) bool { return st.caller == c })
		default:
			p.streams.doubt(id)
		}
	}
}

// CutStreams ends every open stream and lets no other begin: a program that stops tells its clients so. It returns when the
// WebSockets, of which the http.Server does not know, have ended.
func (p *Proxy) CutStreams() { p.streams.close() }
