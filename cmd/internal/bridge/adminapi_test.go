package bridge

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
)

// Whether the Admin API answers is found out in the background, at once at the start and ever after, said
// when it changes, and not by asking the API for each probe.
func TestAdminAPIIsAsked(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			v := vexatest.Start(t, vexatest.Generation(generation))
			client, err := vexa.New(vexa.Config{
				GatewayURL: v.GatewayURL, AdminURL: v.AdminURL, AdminToken: vexatest.DefaultAdminToken,
				Generation: generation,
			})
			if err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			waits, again := make(chan time.Duration), make(chan time.Time)
			a := newAdminAPI(client, slog.New(slog.NewTextHandler(&log, nil)))
			a.after = func(d time.Duration) <-chan time.Time { waits <- d; return again }
			if a.ping(t.Context()) == nil {
				t.Error("it counts as up before it was asked")
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- a.run(ctx) }()
			for i, step := range []struct {
				is   vexatest.Condition
				wait time.Duration
				said string
			}{
				{vexatest.Up, adminEvery, ""},
				{vexatest.Up, adminEvery, ""},
				{vexatest.Down, adminRetry, "cannot be used"},
				{vexatest.Down, adminRetry, ""},
				{vexatest.Up, adminEvery, "answers again"},
			} {
				if i > 0 {
					v.Set(vexatest.AdminAPI, step.is)
					again <- time.Time{}
				}
				if wait := <-waits; wait != step.wait {
					t.Errorf("step %d: it waits %s, want %s", i, wait, step.wait)
				}
				if err := a.ping(t.Context()); (err == nil) != (step.is == vexatest.Up) {
					t.Errorf("step %d: %v", i, err)
				}
				if said := log.String(); step.said == "" && said != "" || !strings.Contains(said, step.said) {
					t.Errorf("step %d: the log says %q, want %q", i, said, step.said)
				}
				log.Reset()
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
