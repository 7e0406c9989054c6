package oidctest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vexa-sso/oidc/oidctest"
)

// A clock runs until it is stopped, and moves by what the test says in either case.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		runs, stands := new(oidctest.Clock), oidctest.NewClock(began)
		expect := func(when string, running, standing time.Duration) {
			t.Helper()
			if r, s := runs.Now().Sub(began), stands.Now().Sub(began); r != running || s != standing {
				t.Errorf("%s: one ran %s, and one stood at %s", when, r, s)
			}
		}
		time.Sleep(time.Second) // the bubble's
		expect("a second later", time.Second, 0)
		runs.Advance(time.Hour)
		stands.Advance(time.Hour)
		expect("moved", time.Hour+time.Second, time.Hour)
		runs.Stop()
		time.Sleep(time.Second)
		runs.Advance(time.Minute)
		expect("stopped", time.Hour+time.Second+time.Minute, time.Hour)
	})
}
