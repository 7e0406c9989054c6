package mapping_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa/vexatest"
)

// Whatever two replicas, people, admins and a failing Vexa do, in whatever order, and whoever dies at which
// step: nobody ever gets a key of somebody else's or with other scopes (D8), the suspended get none, and once
// all is quiet and one clean-up has run, what is at Vexa is exactly what the store says, and nothing that
// neither a grant nor a token needs (S5, S6).
func TestLawsOfKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &story{world: newWorld(t), rt: rt, accounts: map[string]mapping.Account{}}
		s.replicas = []*mapping.Accounts{s.replica(), s.replica()}
		s.foreign = s.vexa.AddToken(s.vexa.AddUser("ada@acme.example", "").ID, "terminal-login", 0, "bot").ID
		rt.Repeat(map[string]func(*rapid.T){
			"sign in": s.signsIn, "ask for a key": s.asksForKey, "suspend": s.suspends,
			"resume": s.resumes, "die": s.dies, "fail": s.fails,
			"make a token": s.makesToken, "use a token": s.usesToken, "revoke a token": s.revokesToken,
			"show a provider's token": s.shows,
			"delete a token by hand":  s.deletesByHand, "time passes": s.timePasses,
			"rules change": s.rulesChange, "work": s.works,
		})
		s.settles()
	})
}

// story is a world in which things happen to a few people.
type story struct {
	*world
	rt       *rapid.T
	replicas []*mapping.Accounts
	accounts map[string]mapping.Account // as last seen, by name
	tokens   []string                   // values
	foreign  int64                      // a token that is not ours
}

func (s *story) anyone() string { return rapid.SampledFrom([]string{"ada", "tim"}).Draw(s.rt, "who") }

func (s *story) anywhere() *mapping.Accounts {
	return s.replicas[rapid.IntRange(0, len(s.replicas)-1).Draw(s.rt, "replica")]
}

func (s *story) signsIn(*rapid.T) {
	name := s.anyone()
	acc, d, err := s.anywhere().SignIn(s.t.Context(), person(name), "")
	if err != nil {
		s.rt.Fatalf("sign in: %v", err)
	}
	if d.Allowed {
		s.accounts[name] = acc
	}
}

func (s *story) asksForKey(*rapid.T) {
	name, a := s.anyone(), s.anywhere()
	acc, known := s.accounts[name]
	if !known {
		s.rt.Skip("nobody there")
	}
	scopes := rapid.SampledFrom([]rule.Scopes{"bot", "tx", "bot,tx"}).Draw(s.rt, "scopes")
	now := s.account(acc.ID)
	secret, _, _, err := a.Key(s.t.Context(), now, a.Decide(now).Grant, scopes)
	if err != nil {
		return
	}
	if now.Status != mapping.Active {
		s.rt.Fatalf("%s is %s and got a key", name, now.Status)
	}
	for _, token := range s.vexa.Tokens() {
		if token.Secret == secret &&
			(token.UserID != s.account(acc.ID).VexaUserID || rule.NewScopes(token.Scopes...) != scopes) {
			s.rt.Fatalf("%s asked for %s and got %+v", name, scopes, token)
		}
	}
}

func (s *story) makesToken(*rapid.T) {
	acc, known := s.accounts[s.anyone()]
	if !known {
		s.rt.Skip("nobody there")
	}
	n := personal(rapid.SampledFrom([]rule.Scopes{"bot", "tx", "bot,tx"}).Draw(s.rt, "scopes"))
	n.Lifetime = rapid.SampledFrom([]time.Duration{time.Hour, 20 * time.Hour, 30 * 24 * time.Hour}).
		Draw(s.rt, "lifetime")
	_, value, err := s.anywhere().CreateToken(s.t.Context(), acc.ID, n, acc.ID)
	if err == nil {
		s.tokens = append(s.tokens, value)
	}
}

func (s *story) value() string {
	if len(s.tokens) == 0 {
		s.rt.Skip("no token")
	}
	return rapid.SampledFrom(s.tokens).Draw(s.rt, "token")
}

func (s *story) usesToken(*rapid.T) {
	value, a := s.value(), s.anywhere()
	token, acc, err := a.TokenByValue(s.t.Context(), access(value))
	if err != nil {
		return
	}
	if acc.Status == mapping.Suspended || acc.ProvenAt.IsZero() || !token.Live(s.clock.Now()) {
		s.rt.Fatalf("%+v of %+v lives", token, acc)
	}
	g := a.Decide(acc).Grant
	a.Key(s.t.Context(), acc, g, token.Scopes.Intersect(g.Scopes)) // Vexa may be failing just now
}

func (s *story) revokesToken(*rapid.T) {
	token, _, err := s.anywhere().TokenByValue(s.t.Context(), access(s.value()))
	if err != nil {
		return
	}
	r := mapping.Revocation{Kind: mapping.RevokeToken, Account: token.AccountID, Token: token.ID}
	if err := s.anywhere().Revoke(s.t.Context(), r, "grace"); err != nil {
		s.rt.Fatalf("revoke a token: %v", err)
	}
	for _, a := range s.replicas {
		a.Apply(r)
	}
}

// shows has a program come with a provider's token of somebody, who may have fewer groups there than at their
// sign-in.
func (s *story) shows(*rapid.T) {
	id, a := person(s.anyone()), s.anywhere()
	if rapid.Bool().Draw(s.rt, "silent about groups") {
		id.Groups, id.GroupsComplete = nil, false
	}
	acc, err := a.Present(s.t.Context(),
		shown(id, s.clock.Now().Add(-rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(s.rt, "age"))))
	if err == nil {
		g := a.Decide(acc).Grant
		a.Key(s.t.Context(), acc, g, g.Scopes)
	}
}

func (s *story) suspends(*rapid.T) {
	if acc, known := s.accounts[s.anyone()]; known {
		r := suspend(acc)
		if err := s.anywhere().Revoke(s.t.Context(), r, "grace"); err != nil {
			s.rt.Fatalf("suspend: %v", err)
		}
		for _, a := range s.replicas {
			a.Apply(r)
		}
	}
}

func (s *story) resumes(*rapid.T) {
	if acc, known := s.accounts[s.anyone()]; known && s.account(acc.ID).Status == mapping.Suspended {
		if err := s.anywhere().Resume(s.t.Context(), acc.ID, "grace"); err != nil {
			s.rt.Fatalf("resume: %v", err)
		}
	}
}

// dies has a third replica die while it serves somebody.
func (s *story) dies(*rapid.T) {
	p := &process{diesAt: rapid.IntRange(1, 40).Draw(s.rt, "step")}
	dying := s.replica(p.option)
	acc, d, err := dying.SignIn(s.t.Context(), person(s.anyone()), "")
	if err == nil && d.Allowed {
		dying.Key(s.t.Context(), acc, d.Grant, d.Grant.Scopes)
	}
	s.clock.advance(time.Minute) // its leases run out
}

func (s *story) fails(*rapid.T) {
	s.vexa.Inject(vexatest.Fault{
		Method: rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(s.rt, "method"),
		Effect: rapid.SampledFrom([]vexatest.Effect{
			vexatest.FailBefore, vexatest.FailAfter, vexatest.CutBefore, vexatest.CutAfter,
		}).Draw(s.rt, "effect"),
		Times: rapid.IntRange(1, 3).Draw(s.rt, "times"),
	})
}

func (s *story) deletesByHand(*rapid.T) {
	ours := s.ourTokens()
	if len(ours) == 0 {
		s.rt.Skip("nothing there")
	}
	s.vexa.RevokeToken(ours[rapid.IntRange(0, len(ours)-1).Draw(s.rt, "token")].ID)
}

func (s *story) timePasses(*rapid.T) {
	s.clock.advance(rapid.SampledFrom([]time.Duration{
		time.Second, 10 * time.Minute, 17 * time.Hour, 25 * time.Hour,
	}).Draw(s.rt, "time"))
}

func (s *story) rulesChange(*rapid.T) {
	s.allow(rapid.SampledFrom([][]string{{"bot"}, {"tx"}, {"bot", "tx"}}).Draw(s.rt, "granted")...)
}

func (s *story) works(*rapid.T) {
	a := s.anywhere()
	a.Renew(s.t.Context()) // Vexa may be failing just now
	if _, err := a.DeleteRevoked(s.t.Context()); err != nil {
		s.rt.Fatalf("delete: %v", err)
	}
	if _, err := a.Reconcile(s.t.Context(), false); err != nil {
		s.rt.Fatalf("reconcile: %v", err)
	}
}

// settles waits until all is quiet, and compares.
func (s *story) settles() {
	s.vexa.Heal()
	s.clock.advance(10 * time.Minute)
	r, err := s.replica().Reconcile(s.t.Context(), false)
	if err != nil || r.Waiting != 0 || len(r.Problems) != 0 {
		s.rt.Fatalf("%+v, %v", r, err)
	}
	var stored, atVexa []string
	for _, k := range s.keys(mapping.KeyActive) {
		stored = append(stored, fmt.Sprintln(k.VexaTokenID, k.VexaUserID, k.Scopes))
		if acc := s.account(k.AccountID); acc.Status != mapping.Active || acc.VexaUserID != k.VexaUserID {
			s.rt.Fatalf("%+v has %+v", acc, k)
		}
		if needed := s.needed(k.AccountID); !slices.Contains(needed, k.Scopes) {
			s.rt.Fatalf("a key of %s, and needed are %v", k.Scopes, needed)
		}
	}
	for _, t := range s.ourTokens() {
		atVexa = append(atVexa, fmt.Sprintln(t.ID, t.UserID, rule.NewScopes(t.Scopes...)))
	}
	slices.Sort(stored)
	slices.Sort(atVexa)
	if !slices.Equal(stored, atVexa) ||
		len(s.keys(mapping.KeyMinting))+len(s.keys(mapping.KeyRevoking)) != 0 {
		s.rt.Fatalf("the store has %q, Vexa has %q", stored, atVexa)
	}
	if !slices.ContainsFunc(s.vexa.Tokens(), func(t vexatest.Token) bool { return t.ID == s.foreign }) {
		s.rt.Fatal("a token that is not ours is gone")
	}
	if users := s.vexa.Users(); len(users) > 2 {
		s.rt.Fatalf("users: %+v", users)
	}
}

// needed are the scope sets of which an account should have keys, if any.
func (s *story) needed(accountID string) []rule.Scopes {
	a := s.replicas[0]
	granted := a.Decide(s.account(accountID)).Grant.Scopes
	sets := []rule.Scopes{granted}
	tokens, err := a.TokensOf(s.t.Context(), accountID)
	if err != nil {
		s.rt.Fatal(err)
	}
	for _, t := range tokens {
		sets = append(sets, t.Scopes.Intersect(granted))
	}
	return sets
}
