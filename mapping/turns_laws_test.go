package mapping_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// Whatever many do at the same moment, on either engine: what is true of one account, and of those who share
// a Vexa user or an address, is what it would be had they done it one after another. On PostgreSQL that is
// the locks' doing (mapping/store/lock.go), for its transactions see what others commit meanwhile.
func TestLawsOfTurns(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, w *world) {
		for round := range uint64(8) {
			c := &throng{world: w, t: t, round: round}
			c.replicas = []*mapping.Accounts{w.replica(), w.replica()}
			var everybody sync.WaitGroup
			for i := range uint64(8) {
				everybody.Go(func() { c.acts(rand.New(rand.NewPCG(round, i))) })
			}
			everybody.Wait()
			c.check()
		}
	})
}

// throng is a world in which many act at once, on three people: one of them shares an address with another.
type throng struct {
	*world
	t        *testing.T
	round    uint64
	replicas []*mapping.Accounts

	mu     sync.Mutex
	tokens []mapping.Token
	made   int
}

func (c *throng) people() []oidc.Identity {
	ada, tim := person(fmt.Sprint("ada", c.round)), person(fmt.Sprint("tim", c.round))
	other := ada
	other.Provider, other.Subject = "entra", "entra:public/tenant/ada"+fmt.Sprint(c.round)
	return []oidc.Identity{ada, tim, other}
}

// acts does twenty things.
func (c *throng) acts(r *rand.Rand) {
	for range 20 {
		a := c.replicas[r.IntN(len(c.replicas))]
		id := c.people()[r.IntN(3)]
		acc, err := a.AccountBySubject(c.t.Context(), id.Subject)
		if errors.Is(err, mapping.ErrNotFound) || r.IntN(3) == 0 {
			c.signsIn(a, id)
			continue
		}
		if err == nil {
			err = c.act(a, r, acc)
		}
		if errors.Is(err, mapping.ErrStoreUnavailable) {
			c.t.Error(err)
		}
	}
}

// act does one thing to an account; that it may not be done any more is no error here.
func (c *throng) act(a *mapping.Accounts, r *rand.Rand, acc mapping.Account) error {
	ctx := c.t.Context()
	switch r.IntN(8) {
	case 0:
		return a.Revoke(ctx, suspend(acc), "grace")
	case 1:
		return a.Resume(ctx, acc.ID, "grace")
	case 2:
		return a.SignOutEverywhere(ctx, acc.ID, "told to", "grace")
	case 3:
		token, _, err := a.CreateToken(ctx, acc.ID, personal("tx"), acc.ID)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.tokens = append(c.tokens, token)
		}
		return err
	case 4:
		c.mu.Lock()
		if len(c.tokens) == 0 {
			c.mu.Unlock()
			return nil
		}
		token := c.tokens[r.IntN(len(c.tokens))]
		c.mu.Unlock()
		return a.Revoke(ctx, mapping.Revocation{
			Kind: mapping.RevokeToken, Account: token.AccountID, Token: token.ID,
		}, "grace")
	case 5:
		_, err := a.DeleteRevoked(ctx)
		return err
	default:
		_, _, err := c.key(a, acc)
		return err
	}
}

// signsIn signs somebody in, with a session and a refresh token.
func (c *throng) signsIn(a *mapping.Accounts, id oidc.Identity) {
	acc, d, err := a.SignIn(c.t.Context(), id, "rt")
	if err != nil || !d.Allowed || acc.Status == mapping.Suspended {
		if errors.Is(err, mapping.ErrStoreUnavailable) {
			c.t.Error(err)
		}
		return
	}
	c.mu.Lock()
	c.made++
	name := fmt.Sprint("session ", c.round, " ", c.made)
	c.mu.Unlock()
	if _, _, err := c.begin(a, acc, name, nil); errors.Is(err, mapping.ErrStoreUnavailable) {
		c.t.Error(err)
	}
}

// check holds what the store says against the laws.
func (c *throng) check() {
	holders := map[int64][]mapping.Account{}
	for _, id := range c.people() {
		acc, err := c.replicas[0].AccountBySubject(c.t.Context(), id.Subject)
		if errors.Is(err, mapping.ErrNotFound) {
			continue
		}
		if err != nil {
			c.t.Fatal(err)
		}
		c.checkAccount(acc)
		if acc.Bound() {
			holders[acc.VexaUserID] = append(holders[acc.VexaUserID], acc)
		}
	}
	for user, accounts := range holders {
		if len(accounts) > 1 { // S3
			c.t.Errorf("round %d: Vexa user %d is had by %d accounts", c.round, user, len(accounts))
		}
		c.view(func(tx mapping.Tx) error {
			b, err := tx.BotBlock(user)
			blocked := err == nil && b.State != mapping.BotBlockLifting
			if suspended := accounts[0].Status == mapping.Suspended; blocked != suspended {
				c.t.Errorf("round %d: %s, and its bots are blocked: %v", c.round, accounts[0].Status, blocked)
			}
			if errors.Is(err, mapping.ErrNotFound) {
				return nil
			}
			return err
		})
	}
}

// checkAccount: who is suspended or was signed out has nothing (S5), and nobody has more than they may (S12).
func (c *throng) checkAccount(acc mapping.Account) {
	sessions, err := c.store.SessionsOf(c.t.Context(), acc.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	c.view(func(tx mapping.Tx) error {
		keys, err := tx.Keys(acc.ID)
		tokens, tokensErr := tx.Tokens(acc.ID)
		_, grantErr := tx.RefreshGrant(acc.ID)
		sets := map[rule.Scopes]int{}
		for _, k := range keys {
			if k.State == mapping.KeyActive {
				sets[k.Scopes]++
			}
		}
		ended := acc.Status == mapping.Suspended || acc.ProvenAt.IsZero()
		if ended && len(sessions)+len(tokens)+len(sets) > 0 || ended && grantErr == nil {
			c.t.Errorf("round %d: %s, proven %s, has %d sessions, %d tokens, keys %v, refresh grant: %v",
				c.round, acc.Status, acc.ProvenAt, len(sessions), len(tokens), sets, grantErr)
		}
		if len(sessions) > mostSessions || slices.ContainsFunc([]rule.Scopes{"bot,tx", "tx"},
			func(s rule.Scopes) bool { return sets[s] > 1 }) {
			c.t.Errorf("round %d: %d sessions, active keys %v", c.round, len(sessions), sets)
		}
		return errors.Join(err, tokensErr)
	})
}
