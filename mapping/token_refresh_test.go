package mapping_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

// tool is what a person lets the command line have.
func tool(scopes rule.Scopes) mapping.NewToken {
	return mapping.NewToken{
		Kind: mapping.TokenTool, Client: "cli", Name: "Vexa command line", Scopes: scopes,
		Lifetime: 30 * 24 * time.Hour,
	}
}

func (w *world) grantTool(a *mapping.Accounts, acc mapping.Account, scopes rule.Scopes) mapping.Issued {
	w.t.Helper()
	issued, err := a.GrantTool(w.t.Context(), acc.ID, tool(scopes), acc.ID)
	if err != nil {
		w.t.Fatalf("grant a tool: %v", err)
	}
	return issued
}

// refreshed exchanges a refresh value that is expected to be good.
func (w *world) refreshed(a *mapping.Accounts, was mapping.Issued) mapping.Issued {
	w.t.Helper()
	now, err := a.RefreshTool(w.t.Context(), refresh(was.Refresh), "cli")
	if err != nil {
		w.t.Fatalf("refresh: %v", err)
	}
	return now
}

func TestGrantTool(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	first := w.grantTool(a, acc, "")
	if first.Token.Scopes != "bot,tx" || first.Token.Kind != mapping.TokenTool ||
		first.Token.Client != "cli" {
		t.Errorf("%+v", first.Token)
	}
	byValue := first.Token
	byValue.ExpiresAt = first.AccessExpires // whoever serves by the value stops when the value does
	if got, owner, err := a.TokenByValue(t.Context(), access(first.Access)); err != nil || got != byValue ||
		owner.ID != acc.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := a.TokenOfRefresh(t.Context(), refresh(first.Refresh)); err != nil || got != first.Token {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := a.TokenByValue(t.Context(), refresh(first.Refresh)); !errors.Is(
		err, mapping.ErrNotFound,
	) {
		t.Errorf("a refresh value as an access value: %v", err)
	}
	if !first.AccessExpires.Equal(w.clock.Now().Add(time.Hour)) ||
		!first.Token.ExpiresAt.Equal(w.clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("access until %s, grant until %s", first.AccessExpires, first.Token.ExpiresAt)
	}

	w.clock.advance(time.Hour)
	if w.opens(a, first.Access) {
		t.Error("an access value lives for more than an hour")
	}
	second := w.refreshed(a, first)
	if !w.opens(a, second.Access) || second.Token != first.Token || second.Access == first.Access ||
		second.Refresh == first.Refresh {
		t.Errorf("%+v", second)
	}
	// RFC 7009: a spent one revokes too
	if _, err := a.TokenOfRefresh(t.Context(), refresh(first.Refresh)); err != nil {
		t.Errorf("a spent value: %v", err)
	}
	for what, hash := range map[string][32]byte{"unknown": {1}, "an access value": access(second.Access)} {
		if _, err := a.RefreshTool(t.Context(), hash, "cli"); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}

	// The grant has an end, however often it is refreshed.
	w.clock.advance(30*24*time.Hour - time.Hour - time.Minute)
	last := w.refreshed(a, second)
	if !last.AccessExpires.Equal(last.Token.ExpiresAt) {
		t.Errorf("the last access value lives until %s, the grant until %s",
			last.AccessExpires, last.Token.ExpiresAt)
	}
	w.clock.advance(time.Minute)
	if _, err := a.RefreshTool(t.Context(),
		refresh(last.Refresh), "cli"); !errors.Is(err, mapping.ErrNotFound) || w.opens(a, last.Access) {
		t.Errorf("after its end: %v", err)
	}
}

// G5: an answer that got lost logs nobody out; a value that comes back later has been stolen, and nothing of
// the grant is left.
func TestRefreshAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.replica(), w.replica()
	acc := w.signIn(a, person("ada"))
	first := w.grantTool(a, acc, "tx")
	lost := w.refreshed(a, first)
	w.clock.advance(30 * time.Second)
	second := w.refreshed(b, first)
	if !w.opens(a, second.Access) || !w.opens(a, lost.Access) || second.Refresh == lost.Refresh {
		t.Fatal("one of the two does not work")
	}
	third := w.refreshed(a, second)
	w.refreshed(a, lost) // in time: the two may have crossed
	if _, err := w.useToken(a, third.Access); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(30*time.Second + time.Microsecond)
	heard := listen(t, w)
	if _, err := b.RefreshTool(t.Context(), refresh(lost.Refresh), "cli"); !errors.Is(
		err, mapping.ErrTokenReused,
	) {
		t.Fatalf("used again: %v", err)
	}
	heard.wait(t, func(r mapping.Revocation) bool {
		return r.Kind == mapping.RevokeToken && r.Account == acc.ID && r.Token == first.Token.ID
	})
	for _, pair := range []mapping.Issued{first, lost, second, third} {
		if _, err := a.RefreshTool(t.Context(),
			refresh(pair.Refresh), "cli"); !errors.Is(err, mapping.ErrNotFound) || w.opens(a, pair.Access) {
			t.Errorf("still good: %v", err)
		}
	}
	if len(w.live(acc)) != 0 {
		t.Errorf("keys of %v", w.live(acc))
	}
	if e := w.events(mapping.EventTokenRevoked); len(e) != 1 || e[0].CredentialID != first.Token.ID {
		t.Errorf("audit: %+v", e)
	}
	if e := w.events(mapping.EventTokenReused); len(e) != 1 || e[0].CredentialID != first.Token.ID {
		t.Errorf("audit: %+v", e)
	}
}

// Two generations back is too far, however quickly it comes: whoever shows that value has not got the one
// that was given for it.
func TestRefreshTwoGenerationsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	first := w.grantTool(a, w.signIn(a, person("ada")), "tx")
	w.refreshed(a, w.refreshed(a, first))
	if _, err := a.RefreshTool(t.Context(), refresh(first.Refresh), "cli"); !errors.Is(
		err, mapping.ErrTokenReused,
	) {
		t.Errorf("%v", err)
	}
}

// A value is its client's: another that shows it gets nothing, and costs the first nothing.
func TestRefreshByAnotherClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	first := w.grantTool(a, w.signIn(a, person("ada")), "tx")
	second := w.refreshed(a, first)
	w.clock.advance(time.Hour)
	for _, pair := range []mapping.Issued{first, second} {
		if _, err := a.RefreshTool(t.Context(), refresh(pair.Refresh), "another"); !errors.Is(
			err, mapping.ErrNotFound,
		) {
			t.Errorf("%v", err)
		}
	}
	w.refreshed(a, second)
}

// Who may not use Vexa just now refreshes nothing, and loses nothing by the attempt.
func TestRefreshWhilePending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	first := w.grantTool(a, acc, "tx")
	put := func(status mapping.Status) {
		acc := w.account(acc.ID)
		acc.Status = status
		if err := w.store.Update(t.Context(), func(tx mapping.Tx) error {
			return tx.PutAccount(acc)
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(mapping.Pending)
	for range 2 {
		if _, err := a.RefreshTool(t.Context(),
			refresh(first.Refresh), "cli"); mustCode(err) != mapping.CodePendingApproval {
			t.Fatalf("%v", err)
		}
		w.clock.advance(time.Minute)
	}
	put(mapping.Active)
	w.refreshed(a, first)
}

// However many refresh with one value at the same moment, on several replicas: each gets a pair that works.
func TestRefreshInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.replica(), w.replica()
	first := w.grantTool(a, w.signIn(a, person("ada")), "tx")
	pairs := make([]mapping.Issued, 20)
	var asking errgroup.Group
	for i := range pairs {
		asking.Go(func() (err error) {
			pairs[i], err = []*mapping.Accounts{a, b}[i%2].RefreshTool(t.Context(),
				refresh(first.Refresh), "cli")
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, pair := range pairs {
		if !w.opens(a, pair.Access) {
			t.Errorf("pair %d does not open", i)
		}
		w.refreshed(a, pair)
	}
}

// S12: what one token leaves behind in the store is bounded, however it is refreshed.
func TestRefreshIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	first := w.grantTool(a, w.signIn(a, person("ada")), "tx")
	var err error
	pairs := 0
	for ; err == nil && pairs < 200; pairs++ {
		_, err = a.RefreshTool(t.Context(), refresh(first.Refresh), "cli")
	}
	if mustCode(err) != mapping.CodeTooManyRefreshes || pairs != 101 {
		t.Fatalf("%d pairs, %v", pairs, err)
	}
	pair := w.refreshed(a, w.grantTool(a, w.account(first.Token.AccountID), "tx"))
	early := pair
	for range 505 {
		w.clock.advance(21 * time.Minute)
		pair = w.refreshed(a, pair)
	}
	if _, err := a.TokenOfRefresh(t.Context(), refresh(early.Refresh)); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("a value of long ago is still known: %v", err)
	}
	if _, err := a.TokenOfRefresh(t.Context(), refresh(pair.Refresh)); err != nil {
		t.Error(err)
	}
}

// G5: a thief who refreshes as fast as he can does not make us forget what the owner holds. The owner's value
// ends the grant.
func TestThiefCannotMakeUsForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	owner := w.grantTool(a, w.signIn(a, person("ada")), "tx")
	thief, err := owner, error(nil)
	for range 600 {
		var next mapping.Issued
		if next, err = a.RefreshTool(t.Context(), refresh(thief.Refresh), "cli"); err != nil {
			break
		}
		thief = next
	}
	if mustCode(err) != mapping.CodeTooManyRefreshes {
		t.Errorf("600 times within seconds: %v", err)
	}
	w.clock.advance(6 * 24 * time.Hour)
	if _, err := a.RefreshTool(t.Context(), refresh(owner.Refresh), "cli"); !errors.Is(
		err, mapping.ErrTokenReused,
	) {
		t.Errorf("the owner's: %v", err)
	}
	if _, err := a.RefreshTool(t.Context(), refresh(thief.Refresh), "cli"); !errors.Is(
		err, mapping.ErrNotFound,
	) {
		t.Errorf("the thief goes on: %v", err)
	}
}

// Whatever the owner, a thief, admins and the clock do, in whatever order: what a tool holds goes on to work
// until the grant expires, is revoked, or is in two hands; and of two hands, at most one goes on.
func TestLawsOfRefreshing(t *testing.T) {
	t.Parallel()
	world, run := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		a := world.replica()
		s := &theft{w: world, rt: rt, replicas: []*mapping.Accounts{a, world.replica()}}
		run++ // somebody new each time: an account has only so many tokens
		s.owner = []mapping.Issued{world.grantTool(a, world.signIn(a, person(fmt.Sprint("ada", run))), "tx")}
		s.ends = s.owner[0].Token.ExpiresAt
		rt.Repeat(map[string]func(*rapid.T){
			"refresh": s.refreshes, "lose an answer": s.losesAnAnswer, "race": s.races, "steal": s.steals,
			"the thief refreshes": s.thiefRefreshes,
			"revoke":              s.revokes, "time passes": s.timePasses, "": s.holds,
		})
		s.showdown()
	})
}

// theft is a tool's grant that somebody may have stolen.
type theft struct {
	w        *world
	rt       *rapid.T
	replicas []*mapping.Accounts
	owner    []mapping.Issued // what the tool holds: one pair, or some that it got in a race
	thief    []mapping.Issued
	stolen   bool // the thief has used what he has
	revoked  bool
	ends     time.Time
}

func (s *theft) anywhere() *mapping.Accounts {
	return rapid.SampledFrom(s.replicas).Draw(s.rt, "replica")
}

func (s *theft) over() bool { return s.revoked || !s.w.clock.Now().Before(s.ends) }

func (s *theft) try(pair mapping.Issued) (mapping.Issued, error) {
	next, err := s.anywhere().RefreshTool(s.w.t.Context(), refresh(pair.Refresh), "cli")
	switch {
	case errors.Is(err, mapping.ErrTokenReused):
		if !s.stolen {
			s.rt.Fatal("taken for a thief")
		}
		s.revoked = true
	case errors.Is(err, mapping.ErrNotFound):
		if !s.over() {
			s.rt.Fatal("logged out for nothing")
		}
	case err != nil:
		s.rt.Fatal(err)
	case s.over():
		s.rt.Fatal("refreshed what is over")
	}
	return next, err
}

// one is a pair that the tool may have kept: of those that it got in a race, any.
func (s *theft) one() mapping.Issued { return rapid.SampledFrom(s.owner).Draw(s.rt, "kept") }

func (s *theft) refreshes(*rapid.T) {
	if next, err := s.try(s.one()); err == nil {
		s.owner = []mapping.Issued{next}
	}
}

func (s *theft) losesAnAnswer(*rapid.T) {
	held := s.one()
	if _, err := s.try(held); err != nil {
		return
	}
	s.w.clock.advance(time.Duration(rapid.IntRange(0, 30).Draw(s.rt, "seconds until it asks again")) *
		time.Second)
	if next, err := s.try(held); err == nil {
		s.owner = []mapping.Issued{next}
	}
}

func (s *theft) races(*rapid.T) {
	held := s.one()
	var got []mapping.Issued
	for range rapid.IntRange(2, 4).Draw(s.rt, "shells") {
		if next, err := s.try(held); err == nil {
			got = append(got, next)
		}
	}
	if len(got) > 0 {
		s.owner = got
	}
}

func (s *theft) steals(*rapid.T) { s.thief = append(s.thief, s.one()) }

func (s *theft) thiefRefreshes(*rapid.T) {
	if len(s.thief) == 0 {
		s.rt.Skip("nothing to use")
	}
	s.stolen = true
	i := rapid.IntRange(0, len(s.thief)-1).Draw(s.rt, "of the loot")
	if next, err := s.try(s.thief[i]); err == nil {
		s.thief[i] = next
	}
}

func (s *theft) revokes(*rapid.T) {
	if rapid.IntRange(0, 9).Draw(s.rt, "dice") > 0 {
		s.rt.Skip("not now")
	}
	t := s.owner[0].Token
	err := s.anywhere().Revoke(s.w.t.Context(),
		mapping.Revocation{Kind: mapping.RevokeToken, Account: t.AccountID, Token: t.ID}, "ada")
	if err != nil && !(errors.Is(err, mapping.ErrNotFound) && s.over()) {
		s.rt.Fatal(err)
	}
	s.revoked = true
}

func (s *theft) timePasses(*rapid.T) {
	s.w.clock.advance(rapid.SampledFrom([]time.Duration{
		time.Second, 29 * time.Second, 31 * time.Second, time.Hour, 9 * 24 * time.Hour,
	}).Draw(s.rt, "time"))
	if rapid.Bool().Draw(s.rt, "purge") {
		if _, err := s.anywhere().Purge(s.w.t.Context()); err != nil {
			s.rt.Fatal(err)
		}
	}
}

// holds: nobody has access to what is over.
func (s *theft) holds(*rapid.T) {
	for _, pair := range slices.Concat(s.owner, s.thief) {
		if open := s.w.opens(s.anywhere(), pair.Access); open &&
			(s.over() || !s.w.clock.Now().Before(pair.AccessExpires)) {
			s.rt.Fatal("open, and over")
		}
	}
}

// showdown lets both go on, each an hour after the other.
func (s *theft) showdown() {
	if !s.stolen || s.over() {
		return
	}
	turns := []*[]mapping.Issued{&s.owner, &s.thief}
	went := map[int]bool{}
	for round := range 4 {
		s.w.clock.advance(time.Hour)
		i := round % 2
		hand := (*turns[i])[:1]
		if i == 1 {
			hand = *turns[1]
		}
		for j := range hand {
			s.w.clock.advance(time.Minute)
			if next, err := s.try(hand[j]); err == nil {
				hand[j] = next
				went[round] = true
			}
		}
	}
	if went[2] && went[3] {
		s.rt.Fatal(fmt.Sprint("both go on: ", went))
	}
}
