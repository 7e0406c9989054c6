package mapping_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
)

// gone, over and strange are what a provider may say of somebody: that they are gone, that this refresh token
// is dead, and what nobody understands.
func gone() error { return &oidc.Error{Code: oidc.CodeAccessEnded, Outcome: oidc.OutcomeGone} }

func over() error {
	return &oidc.Error{Code: oidc.CodeGrantOver, Outcome: oidc.OutcomeOver, MaybeReplaced: true}
}

func strange() error { return &oidc.Error{Code: oidc.CodeSignInRefused} }

// directory is an identity provider whose refresh tokens rotate without any leeway: rt-1 gives rt-2, and to
// use rt-1 again revokes both.
type directory struct {
	mu      sync.Mutex
	is      oidc.Identity
	current int
	asked   int
	dead    bool
	refuse  error
	lost    bool          // answer, and the answer does not arrive
	half    bool          // refuse after the token was used
	silent  bool          // give no new token, and take the same for ever
	hold    chan struct{} // answer when it is closed
	arrived chan struct{} // told when somebody waits for that
}

func (d *directory) Refresh(ctx context.Context, token string, was oidc.Identity) (*oidc.SignIn, error) {
	if d.hold != nil {
		d.arrived <- struct{}{}
		<-d.hold
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.refuse != nil && !d.half {
		return nil, d.refuse
	}
	if d.silent {
		return &oidc.SignIn{Identity: d.is}, d.refuse
	}
	if d.dead || token != fmt.Sprint("rt-", d.current) {
		d.dead = true
		return nil, over()
	}
	d.current++
	if d.lost {
		return nil, &oidc.Error{Code: oidc.CodeProviderUnavailable}
	}
	next := &oidc.SignIn{RefreshToken: fmt.Sprint("rt-", d.current)}
	if d.refuse == nil {
		next.Identity = d.is
	}
	return next, d.refuse
}

func (d *directory) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *directory) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *directory) option(_ *mapping.Config, deps *mapping.Deps) {
	deps.Directories = map[string]mapping.Directory{"okta": d}
}

// proven signs Ada in with the refresh token rt-1, gives her a session, and returns a replica beside her
// account.
func proven(w *world) (*mapping.Accounts, *directory, mapping.Account) {
	w.t.Helper()
	d := &directory{is: person("ada"), current: 1}
	a := w.replica(d.option)
	acc := w.signIn(a, person("ada"))
	if err := keep(w.t.Context(), a, acc, "rt-1"); err != nil {
		w.t.Fatal(err)
	}
	w.session(acc, "s1")
	return a, d, acc
}

func (w *world) session(acc mapping.Account, id string) {
	w.t.Helper()
	s := caller.Session{
		ID: id, Hash: sha256.Sum256([]byte(id)), AccountID: acc.ID, Provider: "okta",
		LastSeen: w.clock.Now(), ExpiresAt: w.clock.Now().Add(24 * time.Hour),
	}
	if err := storetest.CreateSession(w.t.Context(), w.store, s); err != nil {
		w.t.Fatal(err)
	}
}

// due makes a refresh grant due at once.
func (w *world) due(acc mapping.Account) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), func(tx mapping.Tx) error {
		p, err := tx.RefreshGrant(acc.ID)
		if err != nil {
			return err
		}
		p.RenewAt = w.clock.Now()
		return tx.PutRefreshGrant(p)
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sessions(acc mapping.Account) int {
	w.t.Helper()
	found, err := w.store.SessionsOf(w.t.Context(), acc.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(found)
}

func renew(t testing.TB, a *mapping.Accounts) {
	t.Helper()
	if err := a.RenewProofs(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A refresh grant is renewed before session.renew is over, again and again, while a session lives, and no
// longer.
func TestProofIsRenewedWhileASessionLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	renew(t, a)
	if d.times() != 0 {
		t.Fatal("asked at once")
	}
	for round := 1; round <= 3; round++ {
		w.clock.advance(12 * time.Minute)
		if err := w.store.TouchSessions(t.Context(), map[string]time.Time{"s1": w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		renew(t, a)
		renew(t, a)
		if d.times() != round {
			t.Fatalf("asked %d times in round %d", d.times(), round)
		}
		if now := w.account(acc.ID); !now.ProvenAt.Equal(w.clock.Now()) {
			t.Fatalf("proven at %s, not at %s", now.ProvenAt, w.clock.Now())
		}
	}
	w.clock.advance(9 * time.Hour) // nobody has used the session for longer than it lives
	renew(t, a)
	if d.times() != 3 {
		t.Error("asked about somebody who is not there")
	}
	if strings.Contains(w.log.String(), "rt-") { // S2
		t.Error("a refresh token is on the log")
	}
}

// D12: however many replicas ask at the moment when a refresh grant is due, the provider is asked once, and
// nobody is signed out.
func TestOneRenewalAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	b := w.replica(d.option)
	w.clock.advance(12 * time.Minute)
	d.hold, d.arrived = make(chan struct{}), make(chan struct{}, 40)
	var asking errgroup.Group
	for i := range 40 {
		asking.Go(func() error { return []*mapping.Accounts{a, b}[i%2].RenewProofs(t.Context()) })
	}
	close(d.hold)
	if err := asking.Wait(); err != nil {
		t.Fatal(err)
	}
	if d.times() != 1 || w.sessions(acc) != 1 {
		t.Errorf("asked %d times, %d sessions left", d.times(), w.sessions(acc))
	}
}

// D9: what the provider does not say any more is gone: the grant shrinks, and the key that was too wide is
// dead at Vexa.
func TestGrantFollowsTheProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(
		rule.Rule{
			Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
		},
		rule.Rule{
			Name: "all", Match: rule.Match{Providers: []string{"okta"}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
		},
	)
	a, d, acc := proven(w)
	wide, _ := w.mustKey(a, acc)
	d.set(func() { d.is.Groups = nil })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if _, err := a.DeleteRevoked(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, token := range w.vexa.Tokens() {
		if token.Secret == wide {
			t.Error("the wide key lives")
		}
	}
	acc = w.account(acc.ID)
	if g := a.Decide(acc).Grant; g.Scopes != "tx" || w.sessions(acc) != 1 {
		t.Errorf("granted %q, %d sessions", g.Scopes, w.sessions(acc))
	}
	if !strings.Contains(w.log.String(), `"event":"grant_changed"`) ||
		!strings.Contains(w.log.String(), "from bot, tx to tx") {
		t.Error("the audit does not tell")
	}
}

// E7: whom the provider does not vouch for any more loses everything, and may come back when it does again.
func TestAccessEndsWhenTheProviderSaysSo(t *testing.T) {
	t.Parallel()
	for _, said := range []string{oidc.CodeAccessEnded, oidc.CodeTenantRefused, oidc.CodeGuestRefused} {
		t.Run("gone: "+said, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, d, acc := proven(w)
			w.mustKey(a, acc)
			_, value := w.token(a, acc, personal("tx"))
			d.set(func() { d.refuse = &oidc.Error{Code: said, Outcome: oidc.OutcomeGone} })
			w.clock.advance(12 * time.Minute)
			renew(t, a)
			if w.sessions(acc) != 0 || len(w.keys(mapping.KeyActive)) != 0 {
				t.Errorf("%d sessions, %d keys", w.sessions(acc), len(w.keys(mapping.KeyActive)))
			}
			if log := w.log.String(); !strings.Contains(log, `"event":"access_ended"`) ||
				!strings.Contains(log, `"actor":"provider okta"`) || !strings.Contains(log, said) {
				t.Error("the audit does not tell")
			}
			if again := w.signIn(a, person("ada")); again.ID != acc.ID || again.Status != mapping.Active {
				t.Errorf("signed in again: %+v", again)
			}
			if w.opens(a, value) {
				t.Error("a token lives again")
			}
		})
	}
}

// S13: a grant that is over ends sessions and keys, and tokens pause until the next sign-in.
func TestTokensPauseWhenTheGrantIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	_, value := w.token(a, acc, personal("tx"))
	granted := w.grantTool(a, acc, "bot,tx")
	w.mustKey(a, acc)
	heard := listen(t, w)
	d.set(func() { d.refuse = over() })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	heard.wait(t, func(r mapping.Revocation) bool {
		return r.Kind == mapping.RevokeAccount && r.Account == acc.ID
	})
	if w.sessions(acc) != 0 || len(w.keys(mapping.KeyActive)) != 0 {
		t.Errorf("%d sessions, %d keys", w.sessions(acc), len(w.keys(mapping.KeyActive)))
	}
	_, owner, err := a.TokenByValue(t.Context(), access(value))
	if err != nil || !owner.ProvenAt.IsZero() {
		t.Errorf("not paused but %v: %+v", err, owner)
	}
	next, err := a.RefreshTool(t.Context(), refresh(granted.Refresh), "cli")
	if err != nil { // or the tool would throw away what is only paused
		t.Errorf("a paused tool cannot refresh: %v", err)
	}
	if len(w.events(mapping.EventGrantOver)) != 1 || len(w.events(mapping.EventTokenRevoked)) != 0 {
		t.Error("the audit does not tell")
	}
	w.signIn(a, person("ada"))
	if !w.opens(a, value) {
		t.Error("the token does not go on")
	}
	if !w.opens(a, next.Access) {
		t.Error("the tool does not go on")
	}
}

// S13: what nobody understands ends nothing, however often it is said.
func TestUnknownWordsEndNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	_, value := w.token(a, acc, personal("tx"))
	w.mustKey(a, acc)
	d.set(func() { d.refuse = strange() })
	for range 10 {
		w.clock.advance(12 * time.Minute)
		renew(t, a)
	}
	if d.times() != 10 || w.sessions(acc) != 1 || len(w.keys(mapping.KeyActive)) == 0 || !w.opens(a, value) {
		t.Errorf("asked %d times, %d sessions, %d keys", d.times(), w.sessions(acc),
			len(w.keys(mapping.KeyActive)))
	}
	d.set(func() { d.refuse = nil })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if !w.account(acc.ID).ProvenAt.Equal(w.clock.Now()) {
		t.Error("not proven when the provider spoke clearly again")
	}
}

// S13: a refresh token that is refused after an answer was lost may have been replaced by the one that was
// lost, so nothing is over; the person is asked the next time they are there.
func TestLostAnswerEndsNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*world, *mapping.Accounts, *directory, mapping.Account){
		"on the way": func(w *world, a *mapping.Accounts, d *directory, _ mapping.Account) {
			d.set(func() { d.lost = true })
			renew(w.t, a)
			d.set(func() { d.lost = false })
		},
		"by a crash": func(w *world, _ *mapping.Accounts, d *directory, _ mapping.Account) {
			dying := w.replica(d.option, func(_ *mapping.Config, deps *mapping.Deps) {
				deps.Store = &disk{Store: deps.Store, step: func(at string) error {
					if at == "before Update" && d.times() > 0 {
						return errors.New("dead")
					}
					return nil
				}}
			})
			_ = dying.RenewProofs(w.t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, d, acc := proven(w)
			_, value := w.token(a, acc, personal("tx"))
			w.clock.advance(12 * time.Minute)
			lose(w, a, d, acc)
			w.clock.advance(time.Hour)
			w.due(acc)
			renew(t, a)
			_, renews, err := w.proven(acc)
			if d.times() != 2 || w.sessions(acc) != 1 || !w.opens(a, value) || renews || err != nil {
				t.Errorf("asked %d times, %d sessions, renewed in the background: %v, %v", d.times(),
					w.sessions(acc), renews, err)
			}
		})
	}
}

// S10: a provider that is down ends nothing, is not asked about everybody, and is asked again when it said.
func TestProviderDownEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	d.set(func() { d.refuse = &oidc.Error{Code: oidc.CodeProviderUnavailable, RetryAfter: 40 * time.Second} })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	tim := w.signIn(a, person("tim"))
	w.session(tim, "s2")
	if err := keep(t.Context(), a, tim, "rt"); err != nil {
		t.Fatal(err)
	}
	w.due(tim)
	w.clock.advance(30 * time.Second)
	renew(t, a)
	if d.times() != 1 {
		t.Fatalf("asked %d times", d.times())
	}
	for range 20 {
		w.clock.advance(6 * time.Minute)
		renew(t, a)
	}
	if d.times() < 10 || w.sessions(acc) != 1 {
		t.Fatalf("asked %d times, %d sessions", d.times(), w.sessions(acc))
	}
	d.set(func() { d.refuse, d.silent = nil, true })
	w.clock.advance(6 * time.Minute)
	renew(t, a)
	if now := w.account(acc.ID); !now.ProvenAt.Equal(w.clock.Now()) {
		t.Error("not proven when the provider was back")
	}
}

// A failure after the token was used costs nothing: the one that took its place was kept.
func TestHalfDoneRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	d.set(func() { d.refuse, d.half = &oidc.Error{Code: oidc.CodeProviderUnavailable}, true })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	d.set(func() { d.refuse = nil })
	w.clock.advance(time.Minute)
	renew(t, a)
	if now := w.account(acc.ID); d.times() != 2 || d.dead || !now.ProvenAt.Equal(w.clock.Now()) ||
		w.sessions(acc) != 1 {
		t.Errorf("asked %d times, proven at %s", d.times(), now.ProvenAt)
	}
}

// A store that fails when the new token is to be stored is waited for: the old one is dead.
func TestNewTokenIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, d, acc := proven(w)
	var failures int
	fragile := w.replica(d.option, func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{Store: deps.Store, step: func(at string) error {
			if at == "before Update" && d.times() > 0 && failures < 3 {
				failures++
				return mapping.ErrStoreUnavailable
			}
			return nil
		}}
	})
	w.clock.advance(12 * time.Minute)
	renew(t, fragile)
	w.clock.advance(12 * time.Minute)
	renew(t, fragile)
	if failures != 3 || d.times() != 2 || d.dead || w.sessions(acc) != 1 {
		t.Errorf("%d failures, asked %d times, dead %v", failures, d.times(), d.dead)
	}
}

// A provider that gives no new token keeps taking the old one.
func TestTokenThatStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	d.set(func() { d.silent = true })
	for range 2 {
		w.clock.advance(12 * time.Minute)
		renew(t, a)
	}
	if now := w.account(acc.ID); d.times() != 2 || !now.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("asked %d times", d.times())
	}
}

// What a provider says of an old token means nothing once a sign-in has brought a newer one.
func TestSignInOverridesARenewalUnderWay(t *testing.T) {
	t.Parallel()
	for _, said := range []error{
		nil, gone(), over(), strange(), &oidc.Error{Code: oidc.CodeLoginRequired},
		&oidc.Error{Code: oidc.CodeProviderUnavailable},
	} {
		t.Run(fmt.Sprint(said), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, d, acc := proven(w)
			d.refuse, d.hold, d.arrived = said, make(chan struct{}), make(chan struct{}, 1)
			w.clock.advance(12 * time.Minute)
			done := make(chan error)
			go func() { done <- a.RenewProofs(context.Background()) }()
			<-d.arrived
			if err := keep(t.Context(), a, acc, "rt-of-the-newer-sign-in"); err != nil {
				t.Fatal(err)
			}
			close(d.hold)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if w.sessions(acc) != 1 {
				t.Error("signed out")
			}
			if _, renews, err := w.proven(acc); err != nil || !renews {
				t.Errorf("the newer refresh grant is gone: %v", err)
			}
			w.view(func(tx mapping.Tx) error {
				p, err := tx.RefreshGrant(acc.ID)
				if token, _ := w.ring.Open("provider-token", p.Sealed,
					[]byte(acc.ID)); string(token) != "rt-of-the-newer-sign-in" {
					t.Errorf("the refresh grant is %q", token)
				}
				return err
			})
		})
	}
}

// Where only the person can renew the refresh grant, that is known, and nothing is ended.
func TestPersonIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	if _, renews, err := w.proven(acc); err != nil || !renews {
		t.Fatalf("renewed in the background: %v, %v", renews, err)
	}
	d.set(func() { d.refuse = &oidc.Error{Code: oidc.CodeLoginRequired} })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if _, renews, err := w.proven(acc); err != nil || renews || d.times() != 1 ||
		w.sessions(acc) != 1 {
		t.Errorf("renewed in the background: %v; asked %d times, %d sessions, %v",
			renews, d.times(), w.sessions(acc), err)
	}
}

// A refresh token is sealed, to its account (S2).
func TestProofIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _, acc := proven(w)
	other := w.signIn(a, person("tim"))
	w.session(other, "s2")
	w.view(func(tx mapping.Tx) error {
		p, err := tx.RefreshGrant(acc.ID)
		if err == nil && strings.Contains(string(p.Sealed), "rt-1") {
			t.Error("not sealed")
		}
		return err
	})
	if err := w.store.Update(t.Context(), func(tx mapping.Tx) error {
		p, err := tx.RefreshGrant(acc.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Account(other.ID); err != nil {
			return err
		}
		p.AccountID = other.ID
		return tx.PutRefreshGrant(p)
	}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if now := w.account(other.ID); now.ProvenAt.Equal(w.clock.Now()) || now.Identity.Name != "Tim" {
		t.Errorf("another's token was good: %+v", now.Identity)
	}
}

// The laws' suspension takes the refresh grant along.
func TestSuspensionForgetsTheProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _, acc := proven(w)
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	w.view(func(tx mapping.Tx) error {
		if _, err := tx.RefreshGrant(acc.ID); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("the proof: %v", err)
		}
		return nil
	})
}

// Many sign in at once; their renewals are spread.
func TestRenewalsAreSpread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica((&directory{}).option)
	due := map[time.Time]bool{}
	for _, name := range []string{"ada", "tim", "grace", "kim"} {
		acc := w.signIn(a, person(name))
		if err := keep(t.Context(), a, acc, "rt"); err != nil {
			t.Fatal(err)
		}
		w.view(func(tx mapping.Tx) error {
			p, err := tx.RefreshGrant(acc.ID)
			due[p.RenewAt] = true
			return err
		})
	}
	earliest, latest := w.clock.Now().Add(450*time.Second), w.clock.Now().Add(675*time.Second)
	for at := range due {
		if at.Before(earliest) || at.After(latest) {
			t.Errorf("due at %s", at)
		}
	}
	if len(due) != 4 {
		t.Errorf("due at %v", slices.Collect(maps.Keys(due)))
	}
}

// S5: a request that was let in before all was ended, here or on a replica that has not heard of it, gets no
// other key.
func TestNoKeyBetweenTheEndAndTheNextSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, late := w.replica(), w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	if err := a.SignOutEverywhere(t.Context(), acc.ID, "Universal Logout", "provider okta"); err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*mapping.Accounts{a, late} {
		if _, _, err := w.key(replica, acc); code(err) != mapping.CodeUnauthenticated {
			t.Errorf("%v", err)
		}
	}
	if _, err := a.DeleteRevoked(t.Context()); err != nil || len(w.ourTokens()) != 0 {
		t.Errorf("%d tokens live, %v", len(w.ourTokens()), err)
	}
	w.mustKey(late, w.signIn(a, person("ada")))
}
