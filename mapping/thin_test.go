package mapping_test

import (
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// thin is an answer that says nothing about these.
func thin(id oidc.Identity, unsaid ...string) oidc.Identity {
	id.Unsaid, id.Groups, id.GroupsComplete = unsaid, nil, false
	return id
}

// denied refuses contractors, whoever else they are.
var denied = rule.Rule{
	Name: "contractors", Match: rule.Match{Groups: []string{"contractors"}}, Deny: "No contractors.",
}

// S18: a renewal that says less takes nothing away for max_offline; the account is not vouched for anew by
// it, so tokens pause when that is over; then what was not said grants nothing, and denies.
func TestThinRenewalIsNoNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(denied, rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
	})
	a, d, acc := proven(w)
	w.mustKey(a, acc)
	_, value := w.token(a, acc, personal("bot"))
	began := w.clock.Now()
	d.set(func() { d.is = thin(person("ada"), oidc.SaidGroups) })
	for w.clock.Now().Sub(began) < 23*time.Hour {
		w.clock.advance(20 * time.Minute)
		renew(t, a)
		now := w.account(acc.ID)
		if g := a.Decide(now).Grant.Scopes; g != "bot" || !now.ProvenAt.Equal(began) || !w.opens(a, value) ||
			len(w.keys(mapping.KeyActive)) != 1 {
			t.Fatalf("after %s: granted %q, proven at %s, %d keys", w.clock.Now().Sub(began), g, now.ProvenAt,
				len(w.keys(mapping.KeyActive)))
		}
	}
	w.clock.advance(61 * time.Minute)
	if got := a.Decide(w.account(acc.ID)).Code; got != rule.CodeDeniedByRule {
		t.Errorf("after max_offline: %q", got)
	}
	renew(t, a)
	now := w.account(acc.ID)
	if got := a.Decide(now).Code; got != rule.CodeDeniedByRule || !now.ProvenAt.Equal(began) ||
		!w.opens(a, value) || len(w.keys(mapping.KeyActive)) != 0 {
		t.Errorf("renewed after max_offline: %q, proven at %s, %d keys", got, now.ProvenAt,
			len(w.keys(mapping.KeyActive)))
	}
	now = w.signIn(a, person("ada"))
	if g := a.Decide(now).Grant.Scopes; g != "bot" || now.Identity.Thin() ||
		!now.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("signed in again: %q, %+v", g, now)
	}
}

// S18: what no rule reads may be left out for ever.
func TestThinRenewalOfWhatNobodyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(rule.Rule{
		Name: "all", Match: rule.Match{Claims: map[string][]string{"department": {"law"}}},
		When:  `identity.claims.site == "berlin"`,
		Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
	})
	id := person("ada")
	id.Claims = map[string]any{"department": "law", "site": "berlin", "picture": "x"}
	d := &directory{is: id, current: 1}
	a := w.replica(d.option)
	acc := w.signIn(a, id)
	if err := keep(t.Context(), a, acc, "rt-1"); err != nil {
		t.Fatal(err)
	}
	w.session(acc, "s1")
	for claim, vouches := range map[string]bool{"picture": true, "department": false, "site": false} {
		is := id
		is.Unsaid, is.Claims = []string{claim, oidc.SaidGroups}, map[string]any{}
		for name, v := range id.Claims {
			if name != claim {
				is.Claims[name] = v
			}
		}
		is.Groups, is.GroupsComplete = nil, false
		d.set(func() { d.is = is })
		w.clock.advance(20 * time.Minute)
		renew(t, a)
		now := w.account(acc.ID)
		if now.ProvenAt.Equal(w.clock.Now()) != vouches || a.Decide(now).Grant.Scopes != "bot" {
			t.Errorf("without %s: proven at %s, %+v", claim, now.ProvenAt, a.Decide(now))
		}
		w.signIn(a, id)
	}
}

// S18: a list that could not be completed refuses nobody at once who was granted something by a whole one, at
// a renewal or at a sign-in; who never was is refused.
func TestIncompleteGroupsAreNoNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	cut := person("ada")
	cut.Groups, cut.GroupsComplete, cut.GroupsProblem = []string{"staff"}, false, "cut off"
	d.set(func() { d.is = cut })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if got := a.Decide(w.account(acc.ID)); !got.Allowed {
		t.Errorf("renewed: %s", got.Code)
	}
	w.signIn(a, cut)
	w.clock.advance(25 * time.Hour)
	if got := a.Decide(w.account(acc.ID)).Code; got != rule.CodeGroupsIncomplete {
		t.Errorf("after max_offline: %q", got)
	}
	stranger := person("tim")
	stranger.GroupsComplete = false
	if _, d, err := a.SignIn(t.Context(), stranger, ""); err != nil || d.Code != rule.CodeGroupsIncomplete {
		t.Errorf("a stranger: %+v, %v", d, err)
	}
}
