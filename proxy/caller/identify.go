package caller

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

// Identifier authenticates requests and caches the callers, so that a warm request asks nobody.
type Identifier struct {
	edge     *exchange.Edge
	cfg      Config
	accounts Accounts
	rules    *rule.Live
	sessions SessionStore
	store    Health
	cookies  *sessionCookies
	issuers  []*oidc.Provider // providers whose access tokens are accepted

	memory      memory
	lastUse     *lastUse
	failures    *Failures
	owners      KeyOwners // nil: Vexa keys are not looked up
	whoamiLimit *rate.Limiter
}

// Deps are the dependencies of an Identifier.
type Deps struct {
	Edge      *exchange.Edge
	Accounts  Accounts
	Rules     *rule.Live
	Sessions  SessionStore
	Store     Health
	Ring      *keyring.Ring
	Providers []*oidc.Provider
	Owners    KeyOwners // required with tokens.native_keys: migrate
}

// Accounts is the port to accounts. *mapping.Accounts implements it.
type Accounts interface {
	Account(ctx context.Context, id string) (mapping.Account, error)
	AccountsByVexaUser(ctx context.Context, vexaUserID int64) ([]mapping.Account, error)
	Decide(a mapping.Account) rule.Decision
	NoteNativeKey(ctx context.Context, a mapping.Account, address, traceID string) error
	Present(ctx context.Context, t oidc.AccessToken) (mapping.Account, error)
	TokenByValue(ctx context.Context, hash [32]byte) (mapping.Token, mapping.Account, error)
	TouchTokens(ctx context.Context, used map[string]mapping.TokenUse) error
}

// New returns an Identifier with empty caches.
func New(cfg Config, d Deps) *Identifier {
	i := &Identifier{
		edge: d.Edge, cfg: cfg, accounts: d.Accounts, rules: d.Rules, sessions: d.Sessions, store: d.Store,
		cookies: &sessionCookies{
			codec: d.Ring.Codec(keyring.SessionCookie, cfg.Session.Lifetime, d.Edge.Now), store: d.Sessions,
			random: d.Edge.Random, maxAge: cfg.Session.Lifetime,
		},
		memory: newMemory(), lastUse: newLastUse(), failures: newFailures(),
		owners: d.Owners, whoamiLimit: rate.NewLimiter(nativePerSecond, nativeBurst),
	}
	for _, provider := range d.Providers {
		if provider.AcceptsBearer() {
			i.issuers = append(i.issuers, provider)
		}
	}
	return i
}

// Identify authenticates a request. A program's credential silences the cookie, and an invalid one is
// refused, never replaced by the cookie.
func (i *Identifier) Identify(ex *exchange.Exchange, r *http.Request) (*Caller, error) {
	ex.Credential, ex.Explicit = ByNobody, ShowsCredential(r.Header)
	c, err := i.byCredential(ex, r)
	if err != nil {
		return nil, err
	}
	i.lastUse.touch(c, ex.Address, ex.Start)
	if c.limiter != nil && !c.limiter.AllowN(ex.Start, 1) {
		return nil, exchange.Refuse("rate_limited", "")
	}
	i.Note(ex, c)
	if c.Credential == ByNativeKey {
		i.deprecate(ex, c)
	}
	return c, nil
}

// Note sets the caller of an exchange, for its log line and metrics.
func (i *Identifier) Note(ex *exchange.Exchange, c *Caller) {
	ex.Credential, ex.Who = c.Credential, c.who()
}

func (i *Identifier) byCredential(ex *exchange.Exchange, r *http.Request) (*Caller, error) {
	if !ex.Explicit {
		return i.byCookie(ex, r)
	}
	shown, err := readCredential(r.Header)
	switch {
	case err != nil:
		return nil, err
	case !i.store.Usable():
		return nil, exchange.Fail("store_unavailable", nil)
	}
	switch shown.kind {
	case ByToken:
		return i.token(ex, r, shown)
	case ByBearer:
		return i.bearer(ex, r, shown)
	case ByNativeKey:
		return i.nativeKey(ex, r, shown)
	}
	return nil, exchange.Refuse("token_invalid", "")
}

func (i *Identifier) byCookie(ex *exchange.Exchange, r *http.Request) (*Caller, error) {
	cookie := exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Session)
	switch {
	case cookie == "":
		return nil, exchange.Refuse("unauthenticated", "")
	case !i.store.Usable():
		return nil, exchange.Fail("store_unavailable", nil)
	}
	return i.liveSession(ex, r, cookie)
}

// lookUp reads the caller of a credential that is not cached. A refusal is cached for a second (negative
// cache), and unknown credentials of an address that sends many invalid ones take turns (S12): a look-up
// costs little, and refusing them would lock out whoever shares the address. Vexa keys are refused there:
// each is asked at the gateway, which bans us for those that are none. A credential that was valid a while
// ago and is due for another look does not wait.
func (i *Identifier) lookUp(
	ex *exchange.Exchange, r *http.Request, in *callers, key credentialKey,
	read func(context.Context) (*Caller, error),
) (*Caller, error) {
	if err := in.refusal(key, ex.Start); err != nil {
		return nil, err
	}
	if !in.wasValid(key) {
		done, err := i.turn(ex, r, in)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	c, err := in.load(r.Context(), key, read)
	if err == nil {
		return c, nil
	}
	pr := exchange.AsProblem(err)
	switch status := pr.Code.Status(); {
	case status >= http.StatusInternalServerError: // it could not be looked up
		return nil, pr
	case pr.Code == "token_invalid": // made up; what has ended or is paused was good, and may come again
		i.failures.Count(ex.Address, ex.Start, 1)
	}
	in.refuse(key, pr, ex.Start)
	return nil, pr
}

// failuresConfig: a look-up in the store, or a signature, takes a fraction of a millisecond, so a good
// credential has its turn soon, however many wait.
var failuresConfig = FailuresConfig{
	PerSecond: 10, Burst: 50, AtOnce: 4, Waiting: 1000, Patience: 5 * time.Second,
}

func newFailures() *Failures { return NewFailures(failuresConfig) }

func (i *Identifier) turn(ex *exchange.Exchange, r *http.Request, in *callers) (done func(), err error) {
	tooMany := exchange.Refuse("rate_limited", "Too many credentials from your address were not valid.")
	if in == i.memory.natives {
		if i.failures.TooMany(ex.Address, ex.Start) {
			return nil, tooMany
		}
		return func() {}, nil
	}
	done, ok := i.failures.Turn(r.Context(), ex.Address, ex.Start)
	if !ok {
		return nil, tooMany
	}
	return done, nil
}

// liveSession returns the caller of a session cookie, unless the session has expired or was ended.
func (i *Identifier) liveSession(ex *exchange.Exchange, r *http.Request, cookie string) (*Caller, error) {
	name := ex.Site.Cookies.Session
	c, err := i.ofCookie(r, name, cookie)
	if err == nil && i.Expired(c, ex.Start) {
		// Another replica may have served it since: the store knows.
		i.memory.sessions.forget(cookieKey(cookie))
		c, err = i.ofCookie(r, name, cookie)
	}
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, exchange.Refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	case err != nil:
		return nil, exchange.AsProblem(err)
	case i.Expired(c, ex.Start):
		i.memory.sessions.forget(cookieKey(cookie))
		return nil, exchange.Refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	}
	return c, nil
}

func cookieKey(cookie string) credentialKey {
	return credentialKey{hash: hashOf(cookie)}
}

// OfCookie returns the caller of a site's session cookie, whether or not the session has expired, or
// mapping.ErrNotFound.
func (i *Identifier) OfCookie(site *exchange.Site, r *http.Request) (*Caller, error) {
	cookie := exchange.CookieValue(r.Header["Cookie"], site.Cookies.Session)
	if cookie == "" {
		return nil, mapping.ErrNotFound
	}
	return i.ofCookie(r, site.Cookies.Session, cookie)
}

func (i *Identifier) ofCookie(r *http.Request, name, cookie string) (*Caller, error) {
	key := cookieKey(cookie)
	if c, ok := i.memory.sessions.get(key, i.edge.Now()); ok {
		return c, nil
	}
	if !i.signed(name, cookie) { // garbage takes nobody's place among the look-ups
		return nil, mapping.ErrNotFound
	}
	sessions := i.memory.sessions
	shown := &http.Request{Header: http.Header{"Cookie": {name + "=" + cookie}}} // r may be gone by then
	return sessions.load(r.Context(), key, func(ctx context.Context) (*Caller, error) {
		return sessions.lookups.inTurn(ctx, func(ctx context.Context) (*Caller, error) {
			signedIn, err := i.cookies.session(shown.WithContext(ctx), name)
			if err != nil {
				return nil, err
			}
			return i.callerOf(signedIn), nil
		})
	})
}

// Again reads a caller from the store, past the caches. The error is the refusal of a caller who may no
// longer use Vexa, mapping.ErrNotFound, or that of a failed read ([RefusesAccess] tells them apart).
func (i *Identifier) Again(ctx context.Context, c *Caller) (fresh *Caller, err error) {
	switch c.Credential {
	case BySession:
		signedIn, err := i.sessions.SessionByHash(ctx, c.Session.Hash)
		if err != nil {
			return nil, err
		}
		fresh = i.callerOf(signedIn)
	case ByToken:
		fresh, err = i.readToken(ctx, c.hash)
	case ByBearer:
		fresh, err = i.present(ctx, c.Access)
	case ByNativeKey:
		if fresh, err = i.ownerOf(ctx, c.Account.ID, c.AtMost); err == nil {
			fresh.Expires = c.Expires // the key itself was not sent again
		}
	}
	if err != nil {
		return nil, err
	}
	return fresh, MayUse(fresh.Account, i.See(fresh).Decision)
}

// RefusesAccess reports whether an error refuses the caller, as opposed to a failed read.
func RefusesAccess(err error) bool {
	return errors.Is(err, mapping.ErrNotFound) ||
		exchange.AsProblem(err).Code.Status() < http.StatusInternalServerError
}
