package caller

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"vexa-sso/mapping"
)

const touchEvery = time.Minute // resolution of last-seen times

// lastUse batches the last-seen times of credentials, to be written together.
type lastUse struct {
	mu       sync.Mutex
	sessions map[string]time.Time        // by session id
	tokens   map[string]mapping.TokenUse // by token id
}

func newLastUse() *lastUse {
	return &lastUse{sessions: make(map[string]time.Time), tokens: make(map[string]mapping.TokenUse)}
}

// touch records the use of a credential, at most once a minute.
func (u *lastUse) touch(c *Caller, address string, now time.Time) {
	last := c.seen.Load()
	if now.Unix()-last < int64(touchEvery/time.Second) || !c.seen.CompareAndSwap(last, now.Unix()) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch c.Credential {
	case BySession:
		u.sessions[c.CredentialID] = now
	case ByToken:
		u.tokens[c.CredentialID] = mapping.TokenUse{At: now, From: address}
	}
}

// mergeInto sets the last use of tokens to what is not written yet.
func (u *lastUse) mergeInto(tokens []mapping.Token) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, t := range tokens {
		if use, ok := u.tokens[t.ID]; ok && use.At.After(t.UsedAt) {
			tokens[i].UsedAt, tokens[i].UsedFrom = use.At, use.From
		}
	}
}

// Touch records that a caller is active, at most once a minute.
func (i *Identifier) Touch(c *Caller, address string, now time.Time) {
	i.lastUse.touch(c, address, now)
}

// LatestUse sets the last use of tokens to what this replica knows and has not written yet.
func (i *Identifier) LatestUse(tokens []mapping.Token) { i.lastUse.mergeInto(tokens) }

// Flush writes the last-seen times to the store. What could not be written is kept for the next Flush.
func (i *Identifier) Flush(ctx context.Context) error {
	return i.lastUse.flush(ctx, i.sessions, i.accounts)
}

// flush is Identifier.Flush.
func (u *lastUse) flush(ctx context.Context, sessions SessionStore, tokens tokenToucher) error {
	u.mu.Lock()
	seen, used := u.sessions, u.tokens
	u.sessions, u.tokens = make(map[string]time.Time), make(map[string]mapping.TokenUse)
	u.mu.Unlock()
	var failed [2]error
	if len(seen) > 0 {
		failed[0] = sessions.TouchSessions(ctx, seen)
	}
	if len(used) > 0 {
		failed[1] = tokens.TouchTokens(ctx, used)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if failed[0] != nil {
		maps.DeleteFunc(seen, func(id string, at time.Time) bool { return !u.sessions[id].Before(at) })
		maps.Copy(u.sessions, seen)
	}
	if failed[1] != nil {
		maps.DeleteFunc(used, func(id string, use mapping.TokenUse) bool {
			return !u.tokens[id].At.Before(use.At)
		})
		maps.Copy(u.tokens, used)
	}
	return errors.Join(failed[:]...)
}

// tokenToucher writes the last use of tokens. *mapping.Accounts implements it.
type tokenToucher interface {
	TouchTokens(ctx context.Context, used map[string]mapping.TokenUse) error
}
