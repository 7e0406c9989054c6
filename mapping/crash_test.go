package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
)

// wires puts a step before and after each call to Vexa. An error before keeps the call from being made, one
// after it loses the answer.
type wires struct {
	mapping.VexaAdmin
	step func(at string) error
}

func through[T any](w *wires, op string, call func() (T, error)) (T, error) {
	var none T
	if err := w.step("before " + op); err != nil {
		return none, err
	}
	got, err := call()
	if err := w.step("after " + op); err != nil {
		return none, err
	}
	return got, err
}

func (w *wires) FindUser(ctx context.Context, email string) (vexa.User, error) {
	return through(w, "FindUser", func() (vexa.User, error) { return w.VexaAdmin.FindUser(ctx, email) })
}

func (w *wires) User(ctx context.Context, id int64) (vexa.User, error) {
	return through(w, "User", func() (vexa.User, error) { return w.VexaAdmin.User(ctx, id) })
}

func (w *wires) CreateUser(ctx context.Context, email, name string, bots *int) (vexa.User, vexa.Made, error) {
	var made vexa.Made
	user, err := through(w, "CreateUser", func() (user vexa.User, err error) {
		user, made, err = w.VexaAdmin.CreateUser(ctx, email, name, bots)
		return user, err
	})
	return user, made, err
}

func (w *wires) SetMaxBots(ctx context.Context, id int64, bots int) error {
	_, err := through(w, "SetMaxBots", func() (any, error) {
		return nil, w.VexaAdmin.SetMaxBots(ctx, id, bots)
	})
	return err
}

func (w *wires) Mint(
	ctx context.Context, user int64, scopes []string, name string, lifetime time.Duration,
) (vexa.Minted, error) {
	return through(w, "Mint", func() (vexa.Minted, error) {
		return w.VexaAdmin.Mint(ctx, user, scopes, name, lifetime)
	})
}

func (w *wires) Tokens(ctx context.Context, user int64) ([]vexa.Token, error) {
	return through(w, "Tokens", func() ([]vexa.Token, error) { return w.VexaAdmin.Tokens(ctx, user) })
}

func (w *wires) DeleteToken(ctx context.Context, id int64) error {
	_, err := through(w, "DeleteToken", func() (any, error) { return nil, w.VexaAdmin.DeleteToken(ctx, id) })
	return err
}

// disk does the same for the store.
type disk struct {
	mapping.Store
	step func(at string) error
	dead func() bool
}

func (d *disk) around(op string, call func() error) error {
	if err := d.step("before " + op); err != nil {
		return err
	}
	err := call()
	if err := d.step("after " + op); err != nil {
		return err
	}
	return err
}

func (d *disk) Update(ctx context.Context, fn func(mapping.Tx) error) error {
	return d.around("Update", func() error { return d.Store.Update(ctx, fn) })
}

func (d *disk) View(ctx context.Context, fn func(mapping.Tx) error) error {
	return d.around("View", func() error { return d.Store.View(ctx, fn) })
}

func (d *disk) Read(ctx context.Context, fn func(mapping.Tx) error) error {
	return d.around("Read", func() error { return d.Store.Read(ctx, fn) })
}

func (d *disk) AcquireLease(
	ctx context.Context, name string, ttl time.Duration,
) (lease mapping.Lease, err error) {
	err = d.around(
		"AcquireLease", func() error { lease, err = d.Store.AcquireLease(ctx, name, ttl); return err },
	)
	return lease, err
}

func (d *disk) RenewLease(ctx context.Context, l mapping.Lease, ttl time.Duration) error {
	if d.dead != nil && d.dead() {
		return errDead
	}
	return d.Store.RenewLease(ctx, l, ttl) // no step: it comes at any moment
}

func (d *disk) ReleaseLease(ctx context.Context, l mapping.Lease) error {
	return d.around("ReleaseLease", func() error { return d.Store.ReleaseLease(ctx, l) })
}

// process is a replica that dies at one step: from there on nothing that it does has any effect, on the store
// or at Vexa.
type process struct {
	mu     sync.Mutex
	diesAt int // step, from 1; 0: never
	steps  int
	died   string
}

var errDead = errors.New("the process is dead")

func (p *process) step(at string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
	if p.died == "" && p.steps == p.diesAt {
		p.died = at
	}
	if p.died != "" {
		return errDead
	}
	return nil
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.died != ""
}

// dies kills it now.
func (p *process) dies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.died = "now"
}

func (p *process) option(_ *mapping.Config, d *mapping.Deps) {
	d.Store = &disk{d.Store, p.step, p.dead}
	d.Vexa = &wires{d.Vexa, p.step}
}

// S6: a process may die before or after every call to the store and to Vexa, while somebody signs in and gets
// a key. Another then gives the same person a key, and after one clean-up, which goes by the names of keys
// (V7), exactly that key is at Vexa, and one user.
func TestDeathAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				p := &process{diesAt: step}
				if !t.Run(fmt.Sprint(step), func(t *testing.T) { dieAndRecover(t, generation, p) }) {
					return
				}
				if p.died == "" {
					t.Logf("%d steps", step-1)
					break
				}
			}
		})
	}
}

func dieAndRecover(t *testing.T, generation string, p *process) {
	w := newWorld(t, vexatest.Generation(generation))
	bots := 2
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, MaxConcurrentBots: &bots},
	})
	id := person("ada")
	id.EmailTrusted = false // may not adopt: only the written intent makes the user ours
	dying := w.replica(p.option)
	acc, d, err := dying.SignIn(t.Context(), id, "")
	if err == nil && d.Allowed {
		dying.Key(t.Context(), acc, d.Grant, d.Grant.Scopes)
	}

	w.clock.advance(5 * time.Second) // every lease of the dead has run out
	a := w.replica()
	acc = w.signIn(a, id)
	secret, _ := w.mustKey(a, acc)
	w.clock.advance(time.Minute)
	if _, err := a.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}

	if users := w.vexa.Users(); len(users) != 1 || users[0].MaxConcurrentBots != 2 {
		t.Errorf("died %s: users %+v", p.died, users)
	}
	tokens, active := w.vexa.Tokens(), w.keys(mapping.KeyActive)
	if len(tokens) != 1 || len(active) != 1 || tokens[0].ID != active[0].VexaTokenID ||
		tokens[0].Secret != secret || tokens[0].ExpiresAt.IsZero() {
		t.Errorf("died %s: tokens %+v, keys %+v", p.died, tokens, active)
	}
	if left := append(w.keys(mapping.KeyMinting), w.keys(mapping.KeyRevoking)...); len(left) != 0 {
		t.Errorf("died %s: left over: %+v", p.died, left)
	}
}

// The same without anybody asking again: what the dead left at Vexa is gone after one clean-up.
func TestDeathIsCleanedUpWithoutAnotherRequest(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		p := &process{diesAt: step}
		w := newWorld(t)
		dying := w.replica(p.option)
		if acc, d, err := dying.SignIn(t.Context(), person("ada"), ""); err == nil {
			dying.Key(t.Context(), acc, d.Grant, d.Grant.Scopes)
		}
		w.clock.advance(time.Minute)
		if _, err := w.replica().Reconcile(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		known := map[int64]bool{}
		for _, k := range w.keys(mapping.KeyActive) {
			known[k.VexaTokenID] = true
		}
		for _, token := range w.vexa.Tokens() {
			if !known[token.ID] {
				t.Errorf("died %s: token %d is nobody's", p.died, token.ID)
			}
		}
		if left := append(w.keys(mapping.KeyMinting), w.keys(mapping.KeyRevoking)...); len(left) != 0 {
			t.Errorf("died %s: left over: %+v", p.died, left)
		}
		if p.died == "" {
			break
		}
	}
}

// S5: a revocation survives a death at any step.
func TestDeathDuringRevocation(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		p := &process{diesAt: step}
		w := newWorld(t)
		a := w.replica()
		acc := w.signIn(a, person("ada"))
		w.mustKey(a, acc)
		dying := w.replica(p.option)
		err := dying.Revoke(t.Context(),
			mapping.Revocation{Kind: mapping.RevokeAccount, Account: acc.ID, Reason: "left"}, "grace")
		if err == nil {
			dying.DeleteRevoked(t.Context())
		}
		written := w.account(acc.ID).Status == mapping.Suspended
		if err == nil && !written {
			t.Errorf("died %s: revoked, and not written down", p.died)
		}
		w.clock.advance(time.Minute)
		if _, err := w.replica().DeleteRevoked(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 0, false: 1}[written]; len(w.vexa.Tokens()) != want {
			t.Errorf("died %s: %d tokens at Vexa, want %d", p.died, len(w.vexa.Tokens()), want)
		}
		if p.died == "" {
			break
		}
	}
}
