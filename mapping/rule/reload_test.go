package rule

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"vexa-sso/oidc"
)

var staff = Rule{
	Name: "staff", Match: Match{Providers: []string{"okta"}}, Grant: &GrantSpec{Scopes: []string{"tx"}},
}

// reloading is a Reloader whose rules a test sets, and what it told.
type reloading struct {
	Reloader
	rules   []Rule
	err     error
	swapped []uint64
	failed  []error
	log     bytes.Buffer
}

func newReloading() *reloading {
	r := &reloading{}
	r.Reloader = Reloader{
		Live:    &Live{},
		Load:    func() ([]Rule, error) { return r.rules, r.err },
		Check:   func(rules *Rules) []Problem { return rules.CheckProviders([]string{"okta"}) },
		Swapped: func(rules *Rules) { r.swapped = append(r.swapped, rules.Generation()) },
		Failed:  func(err error) { r.failed = append(r.failed, err) },
		Log:     slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	return r
}

func TestLiveRefusesEverybodyBeforeThereAreRules(t *testing.T) {
	t.Parallel()
	var live Live
	if d := live.Current().Decide(oidc.Identity{
		Provider: "okta", Kind: oidc.User, Email: "ada@acme.example",
	}); d.Allowed || d.Code != CodeNotMapped {
		t.Errorf("%+v", d)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	r := newReloading()
	r.rules = []Rule{staff}
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	first := r.Live.Current()
	if len(r.swapped) != 1 || r.swapped[0] != first.Generation() ||
		!first.Decide(oidc.Identity{Provider: "okta", Kind: oidc.User, Email: "ada@acme.example"}).Allowed {
		t.Fatalf("swapped %x, in force %x", r.swapped, first.Generation())
	}

	if err := r.Reload(); err != nil || len(r.swapped) != 1 || r.Live.Current() != first {
		t.Errorf("equal rules were a change: %v, %x", err, r.swapped)
	}

	r.rules = []Rule{{Name: "closed", Deny: "Closed."}}
	if err := r.Reload(); err != nil || len(r.swapped) != 2 || r.Live.Current() == first {
		t.Errorf("other rules were no change: %v, %x", err, r.swapped)
	}
	if len(r.failed) != 0 {
		t.Error(r.failed)
	}
}

func TestReloadChangesNothingWhenTheRulesAreBad(t *testing.T) { // A13 S11
	t.Parallel()
	broken := errors.New("line 3: not a mapping")
	for name, bad := range map[string]struct {
		rules []Rule
		err   error
		says  []string
	}{
		"unreadable": {nil, broken, []string{"read the rules: line 3: not a mapping"}},
		"empty":      {nil, nil, []string{"there are no rules"}},
		"wrong": {[]Rule{
			{Name: "x", When: "identity.emial", Deny: "No."}, {Name: "x", Deny: "No."},
		}, nil, []string{"rules[0].when: undefined field 'emial'", "rules[1].name:"}},
		"unknown provider": {[]Rule{{
			Name: "x", Match: Match{Providers: []string{"okat"}}, Deny: "No.",
		}}, nil, []string{`rules[0].match.providers[0]: no provider is named "okat"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReloading()
			r.rules = []Rule{staff}
			if err := r.Reload(); err != nil {
				t.Fatal(err)
			}
			before := r.Live.Current()

			r.rules, r.err = bad.rules, bad.err
			err := r.Reload()
			if err == nil || r.Live.Current() != before || len(r.swapped) != 1 || len(r.failed) != 1 {
				t.Fatalf("error %v, swapped %d times, failed %d times", err, len(r.swapped), len(r.failed))
			}
			for _, want := range bad.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if bad.err != nil && !errors.Is(err, bad.err) {
				t.Error("the cause is lost")
			}
			if p := (Problem{}); name == "wrong" && (!errors.As(err, &p) || p.Line != 1) {
				t.Errorf("no problem in it: %+v", p)
			}
			if !strings.Contains(r.log.String(), "the old ones stay in force") {
				t.Errorf("the log does not tell: %s", &r.log)
			}

			r.rules, r.err = []Rule{staff, {Name: "closed", Deny: "Closed."}}, nil
			if err := r.Reload(); err != nil || r.Live.Current() == before {
				t.Errorf("good rules after bad ones: %v", err)
			}
		})
	}
}
