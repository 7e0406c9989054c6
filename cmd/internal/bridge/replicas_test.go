package bridge

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// Replicas that differ are said at once and degrade readiness after a minute. Which key seals is no
// difference while all have it: that is how a promotion spreads.
func TestReplicasThatDiffer(t *testing.T) {
	t.Parallel()
	self := Replica{Name: "self", Rules: "1", Keys: []string{"a", "b"}}
	for _, test := range []struct {
		other Replica
		says  string
	}{
		{Replica{Name: "other", Rules: "1", Keys: []string{"a", "b"}}, ""},
		{Replica{Name: "other", Rules: "1", Keys: []string{"b", "a"}}, ""},
		{Replica{Name: "other", Rules: "2", Keys: []string{"a", "b"}}, "other the rules 2"},
		{Replica{Name: "other", Rules: "1", Keys: []string{"a"}}, "that of other is a"},
		{
			Replica{Name: "other", Rules: "1", Keys: []string{"c", "a"}},
			"the key ring of self (a, b) lacks the key c, with which other seals",
		},
		{Replica{Name: "other", Rules: "1", Keys: []string{"b"}}, "ring of other (b) lacks the key a"},
		{Replica{Name: "other", Rules: "1"}, "ring of other () lacks the key a"},
	} {
		log, clock := &oidctest.LogBook{}, oidctest.NewClock(time.Now())
		r := newReplicas(nil, nil, slog.New(slog.NewTextHandler(log, nil)))
		r.now = clock.Now
		for range 2 {
			r.compare(self, []Replica{self, test.other})
		}
		if n := strings.Count(log.String(), "replicas differ"); n != min(1, len(test.says)) {
			t.Errorf("%v: said %d times", test.other, n)
		}
		if err := r.agree(t.Context()); err != nil {
			t.Errorf("%v: not ready at once: %v", test.other, err)
		}
		clock.Advance(differenceDue + 1)
		err := r.agree(t.Context())
		if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v: %v", test.other, err)
		}
		r.compare(self, []Replica{self})
		if err := r.agree(t.Context()); err != nil {
			t.Errorf("%v: they agree again, and %v", test.other, err)
		}
	}
}
