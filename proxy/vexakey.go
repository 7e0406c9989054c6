package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/page"
)

const (
	nativeKept = time.Minute // how long it is remembered whose a Vexa key is

	// nativePerSecond and nativeBurst are how many Vexa keys are shown to the gateway. It bans addresses that show many bad ones,
	// and ours is the address of everybody (V12).
	nativePerSecond = 10
	nativeBurst     = 50
	maxNativeKey    = 128 // characters
	nativeFailures  = 5   // that a key counts for which the gateway does not know: one address must not use up everybody's asks

	// nativeStreams is how long a stream goes on before its key has to be shown again: nobody tells us when Vexa deletes one.
	nativeStreams = 15 * time.Minute
)

// KeyOwners asks the gateway whose a Vexa key is. *vexa.Client does.
type KeyOwners interface {
	Whoami(ctx context.Context, key, from string) (vexa.Owner, error)
}

// nativeKey answers a Vexa key: with a refusal that says what to do instead, or, for the weeks of moving over, with the account of the
// user whose key it is.
func (p *Proxy) nativeKey(ex *exchange, r *http.Request, shown credential) (*caller, error) {
	if p.cfg.Tokens.NativeKeys != NativeKeysMigrate || p.owners == nil {
		return nil, p.refuseNative()
	}
	key := credentialKey{hash: hashOf(shown.value)}
	c, ok := p.known.natives.get(key, ex.start)
	if !ok {
		var err error
		c, err = p.lookUp(ex, r, p.known.natives, key, func(ctx context.Context) (*caller, error) { return p.readNative(ctx, ex, shown.value) })
		if err != nil {
			return nil, err
		}
	}
	p.metrics.nativeKeys.WithLabelValues(c.account.ID).Inc()
	return c, nil
}

func (p *Proxy) refuseNative() error {
	return refuse("native_key_refused", "Vexa's own API keys are not accepted here. Make a token at "+p.origin+page.TokensPath+" and send it where the key was.")
}

// readNative finds the account whose Vexa user a key belongs to: an active one, and the only one that has the user. The key goes to
// the gateway and nowhere else.
func (p *Proxy) readNative(ctx context.Context, ex *exchange, key string) (*caller, error) {
	if len(key) > maxNativeKey || !printable(key) {
		return nil, p.refuseNative()
	}
	if !p.nativeAsks.AllowN(p.now(), 1) {
		return nil, refuse("rate_limited", "")
	}
	owner, err := p.owners.Whoami(ctx, key, ex.address)
	switch {
	case errors.Is(err, vexa.ErrKeyRefused):
		p.failures.note(ex.address, ex.start, nativeFailures-1)
		return nil, p.refuseNative()
	case err != nil:
		return nil, refuseBecause("vexa_admin_unavailable", "Vexa cannot say right now whose key this is.", err)
	}
	accounts, err := p.accounts.AccountsByVexaUser(ctx, owner.UserID)
	if err != nil {
		return nil, err
	}
	accounts = slices.DeleteFunc(accounts, func(a mapping.Account) bool { return a.Status == mapping.Pending })
	if len(accounts) != 1 { // of several who share the user, nobody knows whose key it is: perhaps of one who was suspended (E7)
		return nil, p.refuseNative()
	}
	account := accounts[0]
	if account.Status != mapping.Active || vexa.NormalEmail(account.VexaEmail) != vexa.NormalEmail(owner.Email) {
		return nil, p.refuseNative()
	}
	if err := p.accounts.NoteNativeKey(ctx, account, ex.address, ex.traceID); err != nil {
		p.log.Warn("that a Vexa key is still shown is not in the audit", "account", account.ID, "error", err)
	}
	return p.ownerOf(ctx, account.ID, rule.NewScopes(owner.Scopes...))
}

// ownerOf is who stands behind a Vexa key of an account's user.
func (p *Proxy) ownerOf(ctx context.Context, id string, scopes rule.Scopes) (*caller, error) {
	account, err := p.accounts.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	pauses := account.ProvenAt.Add(p.cfg.Tokens.MaxOffline)
	if err := p.checkProven(account, pauses); err != nil {
		return nil, err
	}
	now := p.now()
	return &caller{
		credential: byNativeKey, expires: now.Add(nativeStreams), until: earlier(now.Add(nativeKept), pauses),
		account: account, limited: true, atMost: scopes, limiter: p.newLimiter(),
	}, nil
}

// deprecate tells a program that shows a Vexa key that this will not go on, and where there is something better (RFC 9745). Keys are
// out of use from when their owner has an account here.
func (p *Proxy) deprecate(ex *exchange, c *caller) {
	h := ex.Header()
	h.Set("Deprecation", fmt.Sprintf("@%d", c.account.CreatedAt.Unix()))
	h.Set("Link", "<"+p.origin+page.TokensPath+`>; rel="deprecation"; type="text/html"`)
}
