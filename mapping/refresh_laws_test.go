package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// However replicas, one of an older version among them, share what is due, and in whatever order they ask,
// hear, die, and people sign in and are signed out meanwhile: no provider is asked twice with one refresh
// token at the same moment, no token that took another's place is lost, no answer undoes a newer grant,
// nobody is left out for longer than a claim lasts, and nothing ends that is not over (D12, S13).
func TestLawsOfRenewals(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, w *world) {
		stores := []mapping.Store{w.store, w.open()}
		runs, failed := 0, false
		rapid.Check(t, func(rt *rapid.T) {
			if runs++; runs > 25 && !failed { // each takes a hundred transactions
				return
			}
			passed := false
			defer func() { failed = failed || !passed }()
			s := newRenewing(w, rt, stores)
			rt.Repeat(map[string]func(*rapid.T){
				"a replica sweeps": s.sweeps, "the provider answers": s.answers, "a replica dies": s.dies,
				"a person signs in": s.signsIn, "a person is signed out": s.signedOut,
				"an older replica asks": s.olderAsks, "an older replica hears": s.olderHears,
				"a while passes": s.passes, "": func(*rapid.T) { s.holds() },
			})
			s.settles()
			passed = true
		})
	})
}

// renewing is some people whose grants are renewed, and what should be left of them.
type renewing struct {
	*world
	rt       *rapid.T
	provider *rotating
	stores   []mapping.Store
	replicas []*sweeper
	people   []*renewed
	older    *olderRenewal // what the older replica is at; nil: nothing
	ended    bool          // all are to be answered well
}

// renewed is one of them.
type renewed struct {
	id     oidc.Identity
	acc    mapping.Account
	newest string // refresh token that is to be kept; "": none
	in     bool   // has a session
}

// sweeper is a replica that may be asking.
type sweeper struct {
	a      *mapping.Accounts
	p      *process
	asking []*question
	done   chan error // of its sweep; nil: there is none
	paused time.Time  // leaves the provider alone until then
}

// ever makes people differ from one run of the test to the next: they share a store.
var ever atomic.Int64

func newRenewing(w *world, rt *rapid.T, stores []mapping.Store) *renewing {
	s := &renewing{world: w, rt: rt, stores: stores, provider: newRotating()}
	for i := range stores {
		s.replicas = append(s.replicas, s.start(i))
	}
	for range 3 {
		p := &renewed{id: person(fmt.Sprintf("p%d", ever.Add(1)))}
		s.people = append(s.people, p)
		s.signIn(p)
	}
	return s
}

func (s *renewing) start(i int) *sweeper {
	r := &sweeper{p: &process{}}
	r.a = s.replica(on(s.stores[i]), r.p.option, func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Directories = map[string]mapping.Directory{"okta": s.provider.askedBy(r)}
	})
	return r
}

func (s *renewing) anyone() *renewed { return rapid.SampledFrom(s.people).Draw(s.rt, "who") }

func (s *renewing) signsIn(*rapid.T)   { s.signIn(s.anyone()) }
func (s *renewing) signedOut(*rapid.T) { s.signOut(s.anyone()) }

func (s *renewing) signIn(p *renewed) {
	a := s.replicas[0].a
	p.newest = s.provider.begins(p.id)
	var err error
	if p.acc, _, err = a.SignIn(s.t.Context(), p.id, p.newest); err != nil {
		s.rt.Fatal(err)
	}
	if !p.in {
		s.session(p.acc, fmt.Sprintf("session %d", ever.Add(1)))
		p.in = true
	}
}

func (s *renewing) signOut(p *renewed) {
	if err := s.replicas[0].a.SignOutEverywhere(s.t.Context(), p.acc.ID, "lost laptop", "ada"); err != nil {
		s.rt.Fatal(err)
	}
	p.newest, p.in = "", false
}

// due is how many grants the next sweep asks about.
func (s *renewing) due() (n int) {
	s.view(func(tx mapping.Tx) error {
		found, err := tx.RenewalsDue(s.clock.Now(), 100)
		for _, d := range found {
			n += d.Count
		}
		return err
	})
	return n
}

// sweeps has an idle replica renew what is due, until it has asked about all of that.
func (s *renewing) sweeps(*rapid.T) {
	r := rapid.SampledFrom(s.replicas).Draw(s.rt, "replica")
	if r.done != nil || s.clock.Now().Before(r.paused) {
		s.rt.Skip("is at it")
	}
	s.sweep(r)
}

func (s *renewing) sweep(r *sweeper) {
	due := s.due()
	if s.older != nil && s.older.grant.RenewAt.Compare(s.clock.Now()) <= 0 && s.isDue(s.older.who) {
		due-- // claimed, and left to the older replica
	}
	r.done = make(chan error, 1)
	go func() { r.done <- r.a.RenewProofs(context.Background()) }()
	for len(r.asking) < due {
		select {
		case q := <-s.provider.questions:
			q.by.asking = append(q.by.asking, q)
		case <-time.After(oidctest.Patience):
			s.rt.Fatalf("asked about %d of %d", len(r.asking), due)
		}
	}
	if due == 0 {
		s.ends(r)
	}
}

func (s *renewing) isDue(p *renewed) (due bool) {
	s.view(func(tx mapping.Tx) error {
		grant, err := tx.RefreshGrant(p.acc.ID)
		due = err == nil && !s.clock.Now().Before(grant.RenewAt)
		return nil
	})
	return due
}

// ends waits until a sweep is over.
func (s *renewing) ends(r *sweeper) {
	select {
	case err := <-r.done:
		if err != nil && !r.p.dead() {
			s.rt.Fatal(err)
		}
	case <-time.After(oidctest.Patience):
		s.rt.Fatal("a sweep hangs")
	}
	r.asking, r.done = nil, nil
}

// answers has the provider answer a replica.
func (s *renewing) answers(*rapid.T) {
	r := rapid.SampledFrom(s.replicas).Draw(s.rt, "replica")
	if len(r.asking) == 0 {
		s.rt.Skip("asks nothing")
	}
	s.answer(r)
}

func (s *renewing) answer(r *sweeper) {
	for _, q := range r.asking {
		said := "good"
		if !s.ended {
			said = rapid.SampledFrom([]string{"good", "strange", "lost"}).Draw(s.rt, "answer")
		}
		token := s.provider.answer(q, said)
		if said == "lost" {
			r.paused = s.clock.Now().Add(10 * time.Second)
		}
		s.heard(q.subject, q.token, token, said)
	}
	s.ends(r)
}

// heard changes what is to be left by what was said of a token.
func (s *renewing) heard(subject, asked, token, said string) {
	for _, p := range s.people {
		if p.id.Subject == subject && p.newest == asked && said == "good" {
			p.newest = token // "": another took its place, and was lost
		}
	}
}

// dies has a replica die while it asks, whether or not the provider has heard it, and another take its place.
func (s *renewing) dies(*rapid.T) {
	i := rapid.IntRange(0, len(s.replicas)-1).Draw(s.rt, "replica")
	r := s.replicas[i]
	if len(r.asking) == 0 {
		s.rt.Skip("asks nothing")
	}
	r.p.dies()
	for _, q := range r.asking {
		s.provider.answer(q, rapid.SampledFrom([]string{"strange", "lost"}).Draw(s.rt, "was heard"))
	}
	s.ends(r)
	s.replicas[i] = s.start(i)
}

// olderRenewal is what a replica of an older version is at: it knows leases, and no claims.
type olderRenewal struct {
	who   *renewed
	lease mapping.Lease
	grant mapping.RefreshGrant
	q     *question
}

func (s *renewing) olderAsks(*rapid.T) {
	if s.older != nil {
		s.rt.Skip("is at it")
	}
	p, ctx := s.anyone(), s.t.Context()
	lease, err := s.stores[1].AcquireLease(ctx, "proof:"+p.acc.ID, time.Minute)
	if err != nil {
		s.rt.Fatal(err)
	}
	var grant mapping.RefreshGrant
	err = s.stores[1].Update(ctx, func(tx mapping.Tx) error {
		if grant, err = tx.RefreshGrant(p.acc.ID); err != nil || s.clock.Now().Before(grant.RenewAt) {
			return errors.Join(err, errors.New("not due"))
		}
		asked := grant
		asked.Unanswered = true
		return tx.PutRefreshGrant(asked)
	})
	if err != nil {
		if err := s.stores[1].ReleaseLease(ctx, lease); err != nil {
			s.rt.Fatal(err)
		}
		s.rt.Skip("nothing is due")
	}
	token, err := s.ring.Open("provider-token", grant.Sealed, []byte(p.acc.ID))
	if err != nil {
		s.rt.Fatal(err)
	}
	q := s.provider.ask(nil, string(token))
	s.older = &olderRenewal{who: p, lease: lease, grant: grant, q: q}
}

func (s *renewing) olderHears(*rapid.T) {
	if s.older == nil {
		s.rt.Skip("asks nothing")
	}
	o, ctx := s.older, s.t.Context()
	s.older = nil
	token := s.provider.decide(o.q, "good")
	if err := s.stores[1].Update(ctx, func(tx mapping.Tx) error {
		now, err := tx.RefreshGrant(o.who.acc.ID)
		if errors.Is(err, mapping.ErrNotFound) || err == nil && string(now.Sealed) != string(o.grant.Sealed) {
			return nil
		}
		if err != nil {
			return err
		}
		if token == "" { // refused after an answer was lost
			return tx.DeleteRefreshGrant(o.who.acc.ID)
		}
		next := o.grant
		next.Unanswered, next.RenewAt = false, s.clock.Now().Add(8*time.Minute)
		next.Sealed, err = s.ring.Seal("provider-token", []byte(token), []byte(o.who.acc.ID))
		return errors.Join(err, tx.PutRefreshGrant(next))
	}); err != nil {
		s.rt.Fatal(err)
	}
	if err := s.stores[1].ReleaseLease(ctx, o.lease); err != nil {
		s.rt.Fatal(err)
	}
	s.heard(o.q.subject, o.q.token, token, "good")
}

// passes lets time pass while nobody is asking: no question lasts as long as a claim.
func (s *renewing) passes(*rapid.T) {
	if s.underWay() {
		s.rt.Skip("somebody asks")
	}
	s.pass(rapid.SampledFrom([]time.Duration{20 * time.Second, 61 * time.Second, 12 * time.Minute}).
		Draw(s.rt, "how long"))
}

func (s *renewing) pass(d time.Duration) {
	s.clock.advance(d)
	seen := map[string]time.Time{}
	for _, p := range s.people {
		found, err := s.store.SessionsOf(s.t.Context(), p.acc.ID)
		if err != nil {
			s.rt.Fatal(err)
		}
		for _, one := range found {
			seen[one.ID] = s.clock.Now()
		}
	}
	if err := s.store.TouchSessions(s.t.Context(), seen); err != nil {
		s.rt.Fatal(err)
	}
}

func (s *renewing) underWay() bool {
	under := s.older != nil
	for _, r := range s.replicas {
		under = under || len(r.asking) > 0
	}
	return under
}

// holds compares what is kept with what should be.
func (s *renewing) holds() {
	if wrong := s.provider.said(); wrong != "" {
		s.rt.Fatal(wrong)
	}
	for _, p := range s.people {
		var kept string
		s.view(func(tx mapping.Tx) error {
			grant, err := tx.RefreshGrant(p.acc.ID)
			if err == nil {
				token, err := s.ring.Open("provider-token", grant.Sealed, []byte(p.acc.ID))
				kept = string(token)
				return err
			}
			return nil
		})
		if kept != p.newest {
			s.rt.Fatalf("%s has the refresh token %q, want %q", p.id.Name, kept, p.newest)
		}
		if n := s.sessions(p.acc); (n > 0) != p.in {
			s.rt.Fatalf("%s has %d sessions, want some: %v", p.id.Name, n, p.in)
		}
	}
}

// settles ends what is under way, and has one replica renew all that is due by then: it finds everybody.
func (s *renewing) settles() {
	s.ended = true
	for _, r := range s.replicas {
		if len(r.asking) > 0 {
			s.answer(r)
		}
	}
	if s.older != nil {
		s.olderHears(s.rt)
	}
	s.holds()
	s.pass(20 * time.Minute)
	kept := map[*renewed]bool{}
	for _, p := range s.people {
		kept[p] = p.newest != "" && s.provider.takes(p.newest)
	}
	s.sweep(s.replicas[0])
	if len(s.replicas[0].asking) > 0 {
		s.answer(s.replicas[0])
	}
	s.holds()
	for _, p := range s.people {
		if now := s.account(p.acc.ID); kept[p] && !now.ProvenAt.Equal(s.clock.Now()) {
			s.rt.Fatalf("%s was left out", p.id.Name)
		}
		s.signOut(p) // the next run has the store to itself
	}
}
