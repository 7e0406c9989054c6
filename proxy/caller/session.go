package caller

import (
	"context"
	"time"
)

// Session is a browser's signed-in state. The browser holds an opaque signed id; the
// store knows it only by hash.
type Session struct {
	ID        string   // for people and audit: sessions list, sessions end; no way to the cookie
	Hash      [32]byte // SHA-256 of the opaque id in the cookie
	AccountID string
	Provider  string
	SID       string // the provider's session id, where it gave one

	// when the person last proved to the provider that it is them, by our clock; zero: it doesn't say
	AuthTime  time.Time
	CreatedAt time.Time
	LastSeen  time.Time // to the minute
	ExpiresAt time.Time // absolute

	SealedIDToken []byte // only ever used as id_token_hint; nil where the provider has no use for it
	LogoutHint    string
}

// SessionStore keeps sessions. mapping/store implements it; ending a session goes through mapping's Revoke.
type SessionStore interface {
	CreateSession(ctx context.Context, s Session) error

	// SessionByHash returns mapping.ErrNotFound when there is none.
	SessionByHash(ctx context.Context, hash [32]byte) (Session, error)

	// TouchSessions writes last-seen times by session id, many at once; unknown ids are ignored.
	TouchSessions(ctx context.Context, seen map[string]time.Time) error

	// SessionsBySID returns the sessions that a provider knows by that session id,
	// SessionsOf those of an account.
	SessionsBySID(ctx context.Context, provider, sid string) ([]Session, error)
	SessionsOf(ctx context.Context, accountID string) ([]Session, error)

	// AskOnce notes that a session goes to its provider to be renewed now, and says true, unless
	// it already did after since.
	AskOnce(ctx context.Context, id string, now, since time.Time) (bool, error)

	// RenewSession writes what the provider said anew about a session: SID, SealedIDToken and LogoutHint, by
	// its ID. An unknown one is ignored.
	RenewSession(ctx context.Context, s Session) error

	// PurgeSessions deletes those that expired before the first, or were last seen before the second.
	PurgeSessions(ctx context.Context, expiredBefore, idleBefore time.Time) (int, error)
}

// Health reports whether what was cached may still be served: the store answered within its grace (S5).
type Health interface{ Usable() bool }

// Expired reports whether a session is over, by its lifetime or because nobody used it.
func (i *Identifier) Expired(c *Caller, now time.Time) bool {
	return !now.Before(c.Expires) || now.Sub(c.Seen()) > i.cfg.Session.Idle
}

// callerOf is who stands behind a session.
func (i *Identifier) callerOf(ctx context.Context, session Session) (*Caller, error) {
	account, renewed, err := i.accounts.Proven(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	c := &Caller{
		Credential: BySession, CredentialID: session.ID, Expires: session.ExpiresAt, Session: session,
		Account: account, RenewsInBackground: renewed, limiter: i.newLimiter(),
	}
	c.seen.Store(session.LastSeen.Unix())
	return c, nil
}
