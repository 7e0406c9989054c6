package caller

import (
	"context"
	"time"

	"vexa-sso/mapping"
)

// Session is a browser's signed-in state, kept server-side. The browser has an opaque signed id; the store
// has only its hash.
type Session struct {
	ID        string   // for commands and audit; the cookie cannot be made of it
	Hash      [32]byte // SHA-256 of the id in the cookie
	AccountID string
	Provider  string
	SID       string // the provider's session id (claim sid), if it gave one

	// when the person last authenticated at the provider (auth_time), by our clock; zero: not known
	AuthTime  time.Time
	CreatedAt time.Time
	LastSeen  time.Time // to the minute
	ExpiresAt time.Time // absolute timeout

	SealedIDToken []byte // for id_token_hint alone; nil where the provider takes none
	LogoutHint    string
}

// SignedIn is a session with the account that it is of. RenewsInBackground says that this has a refresh
// grant, so that its identity is proven anew without the person being there.
type SignedIn struct {
	Session
	Account            mapping.Account
	RenewsInBackground bool
}

// SessionStore keeps sessions. *mapping/store.Store implements it; sessions are ended by mapping's Revoke.
type SessionStore interface {
	// SessionByHash returns the session with that hash, or mapping.ErrNotFound.
	SessionByHash(ctx context.Context, hash [32]byte) (SignedIn, error)

	// TouchSessions writes last-seen times by session id; unknown ids are ignored.
	TouchSessions(ctx context.Context, seen map[string]time.Time) error

	// SessionsBySID returns the sessions with a provider's session id, SessionsOf those of an account.
	SessionsBySID(ctx context.Context, provider, sid string) ([]Session, error)
	SessionsOf(ctx context.Context, accountID string) ([]Session, error)

	// AskOnce records that a session is sent to its provider for a silent renewal now, and returns true,
	// unless that was recorded after since already. It is atomic over all replicas.
	AskOnce(ctx context.Context, id string, now, since time.Time) (bool, error)

	// RenewSession updates SID, SealedIDToken and LogoutHint of the session with that ID. An unknown one is
	// ignored.
	RenewSession(ctx context.Context, s Session) error
}

// SessionTx is what a transaction of the store can do that begins a session
// ([mapping.Accounts.BeginSession]).
type SessionTx interface{ PutSession(s Session) error }

// Health reports whether cached callers may still be served: the store answered within its grace (S5).
type Health interface{ Usable() bool }

// Expired reports whether a session is over, by its absolute or its idle timeout.
func (i *Identifier) Expired(c *Caller, now time.Time) bool {
	return !now.Before(c.Expires) || now.Sub(c.Seen()) > i.cfg.Session.Idle
}

// callerOf returns the caller of a session.
func (i *Identifier) callerOf(s SignedIn) *Caller {
	c := &Caller{
		Credential: BySession, CredentialID: s.Session.ID, Expires: s.ExpiresAt, Session: s.Session,
		Account: s.Account, RenewsInBackground: s.RenewsInBackground, limiter: i.newLimiter(),
	}
	c.Until = untilForgotten(s.Account.Identity.Kept, i.cfg.Tokens.MaxOffline, i.edge.Now())
	c.seen.Store(s.LastSeen.Unix())
	return c
}

// untilForgotten returns when the next of what is gone by, though the newest answer did not say it, has been
// so for long enough (S18); zero when nothing is left. What is forgotten already stays with the account until
// its next renewal, and is no reason to read it again for every request.
func untilForgotten(kept map[string]time.Time, longest time.Duration, now time.Time) (next time.Time) {
	for _, said := range kept {
		until := said.Add(longest)
		if !until.Before(now) && (next.IsZero() || until.Before(next)) {
			next = until
		}
	}
	return next
}
