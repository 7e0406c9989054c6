package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping/vexa"
)

// SuspendConfig is what every suspension does beyond the rest, whoever decides it.
type SuspendConfig struct {
	ForeignTokens bool `yaml:"foreign_tokens"` // as Suspension.ForeignTokens
	StopBots      bool `yaml:"stop_bots"`      // as Suspension.StopBots
}

// Suspension says how far a suspension reaches, beyond what each does, and what Config.Suspend says.
type Suspension struct {
	Reason string

	// ForeignTokens also deletes the tokens of the Vexa user that others minted.
	ForeignTokens bool

	// StopBots also stops the user's running bots, takes their webhook and calendars away and switches the
	// routines of their agent off, by a key of their own, which lives for that long and no longer. Resume
	// gives none of it back.
	StopBots bool
}

// windDownTime is how long the last key of a suspended account may live so that StopBots can use it.
const windDownTime = 20 * time.Second

// Suspend refuses an account everywhere, within a second: its sessions, streams and keys end, and its Vexa
// user may run no bots until Resume, unless an active account has the same Vexa user. What had to be left is
// returned in words, and is in the audit.
func (a *Accounts) Suspend(
	ctx context.Context, accountID string, s Suspension, actor string,
) (left []string, err error) {
	s.ForeignTokens = s.ForeignTokens || a.suspends.ForeignTokens
	s.StopBots = s.StopBots || a.suspends.StopBots
	var last *openKey
	if s.StopBots {
		last = a.keys.last(ctx, accountID)
	}
	var account Account
	r := Revocation{Kind: RevokeAccount, Account: accountID, Reason: s.Reason}
	err = a.revoke(ctx, r, func(c *change, acc Account) error {
		account = acc
		return c.suspend(acc, s, actor, last)
	})
	if err != nil {
		return nil, err
	}
	shared, err := a.sharedWith(ctx, account)
	if err != nil {
		return nil, err
	}
	if shared != "" {
		left = append(left,
			"what the Vexa user has and does: the active account "+shared+" has the same user")
	}
	if s.StopBots && shared == "" && account.Bound() {
		left = append(left, a.keys.windDown(ctx, account, last, actor)...)
	}
	if last != nil {
		a.keys.releaseLast(ctx, last)
	}
	for _, what := range left {
		e := about(account, EventNotEnded)
		e.Actor, e.Reason = actor, what
		err = errors.Join(err, a.Record(ctx, e))
	}
	return left, err
}

// suspend is the part of a suspension that is one transaction.
func (c *change) suspend(acc Account, s Suspension, actor string, last *openKey) error {
	acc.Status, acc.Reason = Suspended, s.Reason
	if err := c.PutAccount(acc); err != nil {
		return err
	}
	if err := c.endAll(acc, EventAccountSuspended, s.Reason, actor); err != nil {
		return err
	}
	if last != nil {
		if err := c.deferDeletion(last.id); err != nil {
			return err
		}
	}
	if err := c.settleBotBlock(acc.VexaUserID, acc); err != nil || !s.ForeignTokens {
		return err
	}
	h, err := c.BotBlock(acc.VexaUserID)
	if errors.Is(err, ErrNotFound) {
		return nil // it is shared, or there is no Vexa user
	}
	if err != nil {
		return err
	}
	h.ForeignTokens = true
	return c.PutBotBlock(h)
}

// deferDeletion lets a key that was just revoked live at Vexa for a moment longer. Nobody gets it any more.
func (c *change) deferDeletion(keyID string) error {
	key, err := c.Key(keyID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	key.RetryAt = c.now.Add(windDownTime)
	return c.PutKey(key)
}

// sharedWith returns an active account that has the same Vexa user, or "".
func (a *Accounts) sharedWith(ctx context.Context, acc Account) (shared string, err error) {
	if !acc.Bound() {
		return "", nil
	}
	err = a.store.View(ctx, func(tx Tx) error {
		shared = ""
		all, err := tx.AccountsByVexaUser(acc.VexaUserID)
		for _, other := range all {
			if other.Status == Active {
				shared = other.ID
			}
		}
		return err
	})
	return shared, asError(err)
}

// last returns a key that reaches all that the account may do, or nil: only one that is there already, since
// the suspension is written down before Vexa is asked for anything (S5), and does not wait for what goes
// wrong here.
func (ks *vexaKeys) last(ctx context.Context, accountID string) *openKey {
	acc, err := ks.account(ctx, accountID)
	if err != nil {
		return nil
	}
	d := ks.decide(acc)
	if !d.Allowed || statusError(acc) != nil {
		return nil
	}
	_, last, err := ks.stored(ctx, accountID, d.Grant, d.Grant.Scopes, expiry)
	if err != nil {
		ks.log.WarnContext(ctx, "key of an account that is being suspended not read", "account", accountID,
			"error", err)
		return nil
	}
	return last
}

// windDown ends at Vexa what goes on in the account's name, without a key what can be ended without.
func (ks *vexaKeys) windDown(ctx context.Context, acc Account, last *openKey, actor string) (left []string) {
	if last == nil {
		last = &openKey{}
	}
	ended := ks.windDownWith(ctx, acc, last.secret)
	if done := ended.Done(); len(done) > 0 {
		e := about(acc, EventActivityEnded)
		e.Actor, e.Reason, e.CredentialID = actor, strings.Join(done, ", "), last.id
		if err := ks.record(ctx, e); err != nil {
			ks.log.WarnContext(ctx, "audit event could not be stored; it is in this log only",
				"event", e.Event, "error", err)
		}
	}
	return ended.Left
}

// releaseLast has the last key deleted, which is not needed any more.
func (ks *vexaKeys) releaseLast(ctx context.Context, last *openKey) {
	err := ks.change(ctx, "release the last key", func(c *change) error {
		key, err := c.Key(last.id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		key.RetryAt = time.Time{}
		return c.PutKey(key)
	})
	if err != nil {
		ks.log.WarnContext(ctx,
			"last key of a suspended account not deleted at once; it will be within seconds",
			"key", last.id, "error", err)
	}
	ks.wake()
}

func (ks *vexaKeys) windDownWith(ctx context.Context, acc Account, secret string) vexa.WoundDown {
	ctx, cancel := context.WithTimeout(ctx, windDownTime-5*time.Second)
	defer cancel()
	return ks.vexa.WindDown(ctx, vexa.User{ID: acc.VexaUserID, Email: acc.VexaEmail}, secret)
}

// Resume ends a suspension. The Vexa user may run again what they could before. An *Objection: the account is
// not suspended.
func (a *Accounts) Resume(ctx context.Context, accountID, actor string) error {
	r := Revocation{Kind: RevokeGrant, Account: accountID, Reason: "resumed"}
	return a.revoke(ctx, r, func(c *change, acc Account) error {
		if acc.Status != Suspended {
			return &Objection{fmt.Sprintf("account %s is not suspended, it is %s", acc.ID, acc.Status), ""}
		}
		acc.Status, acc.Reason = Active, ""
		if err := c.PutAccount(acc); err != nil {
			return err
		}
		if err := c.settleBotBlock(acc.VexaUserID, acc); err != nil {
			return err
		}
		e := about(acc, EventAccountResumed)
		e.Actor = actor
		return c.record(e)
	})
}
