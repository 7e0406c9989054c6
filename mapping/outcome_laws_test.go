package mapping_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// S13, S18: whatever a provider answers when it is asked about somebody, in whatever order, and whether or
// not its refresh tokens rotate: no session, token or key ends without a final word, and by one everything
// that it ends has ended when the answer was heard, on every replica. A renewal that says less is no final
// word.
func TestLawsOfProviderAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &answers{world: newWorld(t), rt: rt, d: &directory{is: person("ada"), current: 1}}
		s.steady = rapid.Bool().Draw(rt, "the same token for ever")
		s.d.silent = s.steady
		s.a, s.other = s.replica(s.d.option), s.replica(s.d.option)
		s.signsIn(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"the provider answers": s.answer,
			"the person signs in":  s.signsIn,
			"a while passes": func(*rapid.T) {
				s.clock.advance(time.Duration(rapid.IntRange(1, 300).Draw(rt, "minutes")) * time.Minute)
			},
		})
	})
}

// answers is somebody with a session, a personal token, a tool and a key; and what they should have left of
// it.
type answers struct {
	*world
	rt       *rapid.T
	a, other *mapping.Accounts
	d        *directory
	steady   bool // refresh tokens do not rotate

	acc            mapping.Account
	personal, tool string // values
	signIns        int

	in      bool // has a session, and the tokens are not paused
	keyed   bool // has a key
	tokens  bool // have not ended
	granted bool // the provider can be asked
	told    time.Time

	known bool // to be steady
	lost  bool // the newest refresh token, for good
	doubt bool // it may be
}

// signsIn gives the person what a good sign-in gives, and new tokens where the others have ended.
func (s *answers) signsIn(*rapid.T) {
	s.acc = s.signIn(s.a, person("ada"))
	s.d.set(func() { s.d.dead = false })
	if err := keep(s.t.Context(), s.a, s.acc, fmt.Sprint("rt-", s.d.current)); err != nil {
		s.rt.Fatal(err)
	}
	s.signIns++
	s.session(s.acc, fmt.Sprintf("%*d", s.signIns, 1))
	if !s.tokens {
		_, s.personal = s.token(s.a, s.acc, personal("tx"))
		s.tool = s.grantTool(s.a, s.acc, "bot,tx").Refresh
	}
	s.mustKey(s.a, s.acc)
	s.in, s.keyed, s.tokens, s.granted, s.told = true, true, true, true, s.clock.Now()
	s.known, s.lost, s.doubt = false, false, false
	s.holds("a sign-in")
}

// answer draws what the provider says, has one replica ask it, and compares.
func (s *answers) answer(*rapid.T) {
	if !s.granted {
		s.rt.Skip("nobody can be asked")
	}
	said := rapid.SampledFrom([]string{
		"good", "thin", "transient", "strange", "misset", "lost", "login required", "over", "gone",
	}).Draw(s.rt, "answer")
	s.clock.advance(20 * time.Minute)
	s.due(s.acc)
	s.script(said)
	asker := s.a
	if rapid.Bool().Draw(s.rt, "other replica") {
		asker = s.other
	}
	if err := asker.RenewProofs(s.t.Context()); err != nil {
		s.rt.Fatal(err)
	}
	s.d.set(func() { s.d.refuse, s.d.lost, s.d.is = nil, false, person("ada") })
	s.expect(said)
	s.holds(said)
}

// script makes the directory say it.
func (s *answers) script(said string) {
	refusals := map[string]error{
		"transient": &oidc.Error{Code: oidc.CodeProviderUnavailable}, "strange": strange(),
		"misset":         &oidc.Error{Code: oidc.CodeProviderMisset},
		"login required": &oidc.Error{Code: oidc.CodeLoginRequired}, "over": over(), "gone": gone(),
	}
	s.d.set(func() {
		s.d.refuse, s.d.lost = refusals[said], said == "lost"
		if said == "thin" {
			s.d.is = thin(person("ada"), oidc.SaidGroups)
		}
		if said == "lost" && s.steady {
			s.d.refuse = refusals["transient"]
		}
	})
}

// expect changes what the person should have left by what was said.
func (s *answers) expect(said string) {
	switch said {
	case "good", "thin", "lost":
		if s.lost { // and the refresh token that is left is dead: nobody knows
			s.granted = false
			return
		}
	}
	switch said {
	case "good":
		s.told, s.doubt, s.known = s.clock.Now(), false, s.steady
	case "thin":
		s.doubt, s.known = false, s.steady
		s.keyed = s.keyed && s.clock.Now().Sub(s.told) <= 24*time.Hour // S18
	case "lost":
		s.lost = !s.steady
		s.doubt = s.doubt || !s.known
	case "transient":
		s.doubt = s.doubt || !s.known
	case "login required":
		s.granted = false
	case "over":
		s.granted = false
		if !s.doubt {
			s.in, s.keyed = false, false
		}
	case "gone":
		s.in, s.keyed, s.granted, s.tokens = false, false, false, false
	}
}

// holds compares what the person has with what they should have.
func (s *answers) holds(after string) {
	for _, a := range []*mapping.Accounts{s.a, s.other} {
		_, owner, err := a.TokenByValue(s.t.Context(), access(s.personal))
		if (err == nil) != s.tokens || err == nil && owner.ProvenAt.IsZero() == s.in {
			s.rt.Fatalf("after %s: the token says %v, proven at %s; want it %v, going on %v", after, err,
				owner.ProvenAt, s.tokens, s.in)
		}
		_, err = a.TokenOfRefresh(s.t.Context(), refresh(s.tool))
		if (err == nil) != s.tokens {
			s.rt.Fatalf("after %s: the tool's grant says %v, want it %v", after, err, s.tokens)
		}
	}
	if n := s.sessions(s.acc); (n > 0) != s.in {
		s.rt.Fatalf("after %s: %d sessions, want some: %v", after, n, s.in)
	}
	if keys := s.live(s.acc); (len(keys) > 0) != s.keyed {
		s.rt.Fatalf("after %s: keys of %v, want some: %v", after, keys, s.keyed)
	}
	if now := s.account(s.acc.ID); s.in && !now.ProvenAt.Equal(s.told) {
		s.rt.Fatalf("after %s: proven at %s, told at %s", after, now.ProvenAt, s.told)
	}
}
