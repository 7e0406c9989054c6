package mapping_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa/vexatest"
)

// bots reads how many bots a Vexa user may run.
func (w *world) bots(id int64) int64 {
	w.t.Helper()
	for _, u := range w.vexa.Users() {
		if u.ID == id {
			return int64(u.MaxConcurrentBots)
		}
	}
	w.t.Fatalf("Vexa has no user %d", id)
	return 0
}

func (w *world) settle(a *mapping.Accounts) {
	w.t.Helper()
	if waiting, err := a.SettleBotBlocks(w.t.Context()); waiting != 0 || err != nil {
		w.t.Fatalf("%d bot blocks waiting, %v", waiting, err)
	}
}

func (w *world) suspend(a *mapping.Accounts, acc mapping.Account, s mapping.Suspension) (left []string) {
	w.t.Helper()
	left, err := a.Suspend(w.t.Context(), acc.ID, s, "grace")
	if err != nil {
		w.t.Fatal(err)
	}
	return left
}

func (w *world) resume(a *mapping.Accounts, acc mapping.Account) {
	w.t.Helper()
	if err := a.Resume(w.t.Context(), acc.ID, "grace"); err != nil {
		w.t.Fatal(err)
	}
}

// S5: a suspended person's Vexa user may run no bots, and what they could before is theirs again afterwards.
func TestSuspensionBlocksBots(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			if err := w.client().SetMaxBots(t.Context(), acc.VexaUserID, 7); err != nil {
				t.Fatal(err)
			}
			w.suspend(a, acc, mapping.Suspension{Reason: "left"})
			w.settle(a)
			if got := w.bots(acc.VexaUserID); got != 0 {
				t.Errorf("suspended: %d bots", got)
			}
			w.suspend(a, acc, mapping.Suspension{Reason: "left for good"}) // once more changes nothing
			w.settle(a)
			w.resume(a, acc)
			w.settle(a)
			if got := w.bots(acc.VexaUserID); got != 7 {
				t.Errorf("resumed: %d bots", got)
			}
			for _, kind := range []string{mapping.EventBotsBlocked, mapping.EventBotsRestored} {
				if events := w.events(kind); len(events) != 1 || events[0].Account != acc.ID ||
					events[0].VexaUserID != acc.VexaUserID {
					t.Errorf("%s: %+v", kind, events)
				}
			}
		})
	}
}

// S5, S6: whoever suspends or resumes may die before or after every call to the store and to Vexa; what they
// could run before is never lost.
func TestDeathDuringHold(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		p := &process{diesAt: step}
		w := newWorld(t)
		a := w.replica()
		acc := w.signIn(a, person("ada"))
		if err := w.client().SetMaxBots(t.Context(), acc.VexaUserID, 7); err != nil {
			t.Fatal(err)
		}
		dying := w.replica(p.option)
		die := func(act func() error) {
			if act() == nil {
				dying.SettleBotBlocks(t.Context())
			}
			w.clock.advance(time.Minute) // every lease of the dead has run out
			w.settle(a)
		}
		die(func() error {
			_, err := dying.Suspend(t.Context(), acc.ID, mapping.Suspension{Reason: "left"}, "grace")
			return err
		})
		if suspended := w.account(acc.ID).Status == mapping.Suspended; suspended !=
			(w.bots(acc.VexaUserID) == 0) {
			t.Errorf("died %s: suspended %v, %d bots", p.died, suspended, w.bots(acc.VexaUserID))
		}
		die(func() error { return dying.Resume(t.Context(), acc.ID, "grace") })
		if suspended := w.account(acc.ID).Status == mapping.Suspended; suspended {
			w.resume(a, acc)
			w.settle(a)
		}
		if got := w.bots(acc.VexaUserID); got != 7 {
			t.Errorf("died %s: %d bots in the end", p.died, got)
		}
		if p.died == "" {
			t.Logf("%d steps", step-1)
			break
		}
	}
}

// S5: Vexa may be away; it is told when it is back, later and later, and the metric says so meanwhile.
func TestHoldIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	began := w.clock.Now()
	w.suspend(a, acc, mapping.Suspension{Reason: "left"})
	for range 3 {
		if waiting, err := a.SettleBotBlocks(t.Context()); waiting != 1 || err != nil {
			t.Fatalf("%d waiting, %v", waiting, err)
		}
		w.clock.advance(4 * time.Second)
	}
	if oldest, err := a.OldestRevocation(t.Context()); err != nil || !oldest.Equal(began) {
		t.Errorf("oldest %v, %v", oldest, err)
	}
	w.vexa.Heal()
	w.clock.advance(time.Minute)
	w.settle(a)
	if got := w.bots(acc.VexaUserID); got != 0 {
		t.Errorf("%d bots", got)
	}
}

// A Vexa user that an active account has goes on running bots; when the last of them is suspended, it does
// not.
func TestHoldOfASharedUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	ada := w.signIn(a, person("ada"))
	if _, _, err := a.Pin(t.Context(), person("tim").Subject, "ada@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	tim := w.signIn(a, person("tim"))
	before := w.bots(ada.VexaUserID)
	key, _ := w.mustKey(a, ada)
	if status, body := w.gateway("PUT", "/user/webhook", key,
		`{"webhook_url":"https://tim.example/hook"}`); status != 200 {
		t.Fatal(status, body)
	}
	left := w.suspend(a, ada, mapping.Suspension{Reason: "left", ForeignTokens: true, StopBots: true})
	w.settle(a)
	// S13
	if w.vexa.Webhook(ada.VexaUserID) == "" {
		t.Error("what somebody else uses was taken away")
	}
	if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
		t.Errorf("the last key: %d waiting, %v", waiting, err)
	}
	if w.bots(ada.VexaUserID) != before || len(left) != 1 || !strings.Contains(left[0], tim.ID) ||
		len(w.events(mapping.EventNotEnded)) != 1 {
		t.Errorf("%d bots, left %q, %+v", w.bots(ada.VexaUserID), left, w.events(mapping.EventNotEnded))
	}
	w.suspend(a, tim, mapping.Suspension{Reason: "left"})
	w.settle(a)
	if got := w.bots(ada.VexaUserID); got != 0 {
		t.Errorf("both suspended: %d bots", got)
	}
	w.resume(a, ada)
	w.settle(a)
	if got := w.bots(ada.VexaUserID); got != before {
		t.Errorf("one resumed: %d bots", got)
	}
}

// The first key after a suspension comes with what the rules say now, not with what was remembered, however
// late that arrives.
func TestRulesAfterAHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.suspend(a, acc, mapping.Suspension{Reason: "left"})
	w.settle(a)
	five := 5
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot"}, MaxConcurrentBots: &five},
	})
	w.resume(a, acc)

	until, minted, waits := make(chan struct{}), make(chan error, 1), make(chan struct{}, 100)
	late := w.vexa.Inject(vexatest.Fault{Method: "PATCH", Effect: vexatest.HoldBefore, Until: until})
	var settling sync.WaitGroup
	settling.Go(func() { a.SettleBotBlocks(t.Context()) })
	if err := late.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	elsewhere := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.After = func(time.Duration) <-chan time.Time {
			waits <- struct{}{}
			return time.After(time.Millisecond)
		}
	})
	go func() {
		_, _, err := w.key(elsewhere, w.account(acc.ID))
		minted <- err
	}()
	select {
	case <-waits: // for what was remembered to arrive
	case err := <-minted:
		minted <- err
	}
	close(until)
	settling.Wait()
	if err := <-minted; err != nil {
		t.Fatal(err)
	}
	if got := w.bots(acc.VexaUserID); got != 5 {
		t.Errorf("%d bots", got)
	}
}

// A Vexa that was set up anew has another user of that id: it is left alone.
func TestHoldOfAUserThatIsAnotherNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.suspend(a, acc, mapping.Suspension{Reason: "left"})
	w.vexa.Reinstall()
	boss := w.vexa.AddUser("boss@acme.example", "Boss")
	before := w.bots(boss.ID)
	w.settle(a)
	if got := w.bots(boss.ID); boss.ID != acc.VexaUserID || got != before {
		t.Errorf("user %d has %d bots", boss.ID, got)
	}
}

// On demand also the tokens that others minted are deleted, but for those of another bridge, which would mint
// them anew. V10: Vexa cannot disable a user; what cuts one off is that no token of theirs is left.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	terminal := w.vexa.AddToken(acc.VexaUserID, "terminal-login", 0, "bot")
	staging := w.vexa.AddToken(acc.VexaUserID, "vsso:staging:a:k", time.Hour, "bot")
	w.vexa.AddToken(w.vexa.AddUser("boss@acme.example", "Boss").ID, "terminal-login", 0, "bot")
	w.suspend(a, acc, mapping.Suspension{Reason: "left", ForeignTokens: true})
	w.settle(a)
	if _, err := a.DeleteRevoked(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tokens := w.vexa.Tokens(acc.VexaUserID); len(tokens) != 1 || tokens[0].ID != staging.ID {
		t.Errorf("%+v", tokens)
	}
	if len(w.vexa.Tokens()) != 2 {
		t.Errorf("others lost theirs: %+v", w.vexa.Tokens())
	}
	if gone := w.events(mapping.EventForeignTokenDeleted); len(gone) != 1 ||
		gone[0].VexaTokenID != terminal.ID {
		t.Errorf("%+v", gone)
	}
	if left := w.events(mapping.EventNotEnded); len(left) != 1 || left[0].VexaTokenID != staging.ID ||
		!strings.Contains(left[0].Reason, "staging") {
		t.Errorf("%+v", left)
	}
}

// gateway makes a call of a user's, with their key.
func (w *world) gateway(method, path, key, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.vexa.GatewayURL+path,
		bytes.NewBufferString(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// On demand running bots stop, and what would send others is taken away, by the person's own key, which is
// gone afterwards.
func TestStopBots(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			key, _ := w.mustKey(a, acc)
			observer := w.vexa.AddToken(acc.VexaUserID, "observer", 0, "bot", "tx").Secret
			if status, body := w.gateway("POST", "/bots", key,
				`{"platform":"google_meet","native_meeting_id":"abc-defg-hij"}`); status != 201 {
				t.Fatal(status, body)
			}
			w.gateway("PUT", "/user/webhook", key, `{"webhook_url":"https://evil.example/hook"}`)
			w.gateway("POST", "/user/calendars", key, `{"ics_url":"https://acme.example/ada.ics"}`)
			w.gateway("PUT", "/user/calendar", key, `{"ics_url":"https://acme.example/ada.ics"}`)

			if generation == vexatest.Generation012 {
				w.vexa.AddRoutineFile(acc.VexaUserID, "every morning")
				for _, name := range []string{"at noon", "../../sessions"} {
					if status, body := w.gateway("POST", "/agent/routines", key,
						`{"name":"`+name+`","cron":"0 12 * * *","prompt":"x"}`); status != 201 {
						t.Fatal(status, body)
					}
				}
				if ran := w.vexa.RunRoutines(acc.VexaUserID); len(ran) != 3 {
					t.Fatal(ran)
				}
			}

			left := w.suspend(a, acc, mapping.Suspension{Reason: "left", StopBots: true})
			if len(left) != 1 || !strings.HasPrefix(left[0], "share links") {
				t.Errorf("left %q", left)
			}
			if said := w.events(mapping.EventNotEnded); len(said) != 1 || said[0].Reason != left[0] {
				t.Errorf("%+v", said)
			}
			if ran := w.vexa.RunRoutines(acc.VexaUserID); len(ran) != 0 {
				t.Errorf("routines go on: %v", ran)
			}
			if hook := w.vexa.Webhook(acc.VexaUserID); hook != "" {
				t.Errorf("the webhook is %q", hook)
			}
			if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
				t.Errorf("%d waiting, %v", waiting, err)
			}
			if tokens := w.vexa.Tokens(acc.VexaUserID); len(tokens) != 1 {
				t.Errorf("the last key is still there: %+v", tokens)
			}
			for path, gone := range map[string]string{
				"/bots/status": "abc-defg", "/user/webhook": "evil.example", "/user/calendars": "ics",
				"/user/calendar": `"ics_url_set":true`,
			} {
				if status, body := w.gateway("GET", path, observer, ""); status == 200 &&
					strings.Contains(body, gone) {
					t.Errorf("%s: %s", path, body)
				}
			}
			want := "bots stopped: 1, webhook removed"
			if generation == vexatest.Generation012 {
				want += ", calendars removed: 2, agent routines switched off: 3"
			}
			if events := w.events(mapping.EventActivityEnded); len(events) != 1 || events[0].Reason != want {
				t.Errorf("%+v", events)
			}
			// S2
			if strings.Contains(w.log.String(), key) || strings.Contains(fmt.Sprint(w.events("")), key) {
				t.Error("the key is in the log")
			}
		})
	}
}

// Without a key of the person, what the Admin API can end is ended, and the rest is said. S5
func TestStopBotsWithoutAKey(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		w := newWorld(t, vexatest.Generation(generation))
		a := w.replica()
		acc := w.signIn(a, person("ada"))
		observer := w.vexa.AddToken(acc.VexaUserID, "observer", 0, "bot", "tx").Secret
		if status, body := w.gateway("PUT", "/user/webhook", observer,
			`{"webhook_url":"https://evil.example/hook"}`); status != 200 {
			t.Fatal(status, body)
		}
		left := w.suspend(a, acc, mapping.Suspension{Reason: "left", StopBots: true})
		said := strings.Join(left, "; ")
		if !strings.Contains(said, "bots: there is no key") || !strings.Contains(said, "share links") ||
			len(w.events(mapping.EventNotEnded)) != len(left) {
			t.Errorf("left %q, %+v", left, w.events(mapping.EventNotEnded))
		}
		ended := w.vexa.Webhook(acc.VexaUserID) == ""
		if ended != (generation == vexatest.Generation010) ||
			ended == strings.Contains(said, "the webhook: there is no key") {
			t.Errorf("%s: the webhook is %q, left %q", generation, w.vexa.Webhook(acc.VexaUserID), left)
		}
	}
}

// What the configuration says of every suspension holds for each, whoever decides it and by whichever way.
func TestSuspensionByConfiguration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config  mapping.SuspendConfig
		foreign int // tokens of others that are left
		events  int // that tell of bots that were stopped
	}{
		{mapping.SuspendConfig{}, 1, 0},
		{mapping.SuspendConfig{ForeignTokens: true}, 0, 0},
		{mapping.SuspendConfig{StopBots: true}, 1, 1},
		{mapping.SuspendConfig{ForeignTokens: true, StopBots: true}, 0, 1},
	} {
		w := newWorld(t)
		a := w.replica(func(cfg *mapping.Config, _ *mapping.Deps) { cfg.Suspend = test.config })
		acc := w.signIn(a, person("ada"))
		key, _ := w.mustKey(a, acc)
		w.vexa.AddToken(acc.VexaUserID, "terminal-login", 0, "bot")
		if status, body := w.gateway("POST", "/bots", key,
			`{"platform":"google_meet","native_meeting_id":"abc-defg-hij"}`); status != 201 {
			t.Fatal(status, body)
		}
		if err := a.Revoke(t.Context(), suspend(acc), "provider okta"); err != nil {
			t.Fatal(err)
		}
		w.settle(a)
		if _, err := a.DeleteRevoked(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tokens, events := w.vexa.Tokens(acc.VexaUserID),
			w.events(mapping.EventActivityEnded); len(tokens) != test.foreign || len(events) != test.events {
			t.Errorf("%+v: %d tokens, %+v", test.config, len(tokens), events)
		}
		if now := w.account(acc.ID); now.Status != mapping.Suspended || now.Reason != "left the company" {
			t.Errorf("%+v", now)
		}
	}
}

// S5: the account is refused before its bots are stopped, and its last key is deleted even if whoever stops
// them dies.
func TestStopBotsIsNoReprieve(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	until := make(chan struct{})
	held := w.vexa.Inject(vexatest.Fault{
		Part: vexatest.Gateway, Path: "/bots/status", Effect: vexatest.HoldBefore, Until: until,
	})
	done := make(chan []string)
	go func() {
		left, _ := a.Suspend(t.Context(), acc.ID, mapping.Suspension{Reason: "left", StopBots: true}, "grace")
		done <- left
	}()
	if err := held.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	other := w.replica()
	if _, _, err := w.key(other, acc); code(err) != mapping.CodeSuspended {
		t.Errorf("while bots are stopped: %v", err)
	}
	if waiting, err := other.DeleteRevoked(t.Context()); waiting != 1 || err != nil {
		t.Errorf("%d waiting, %v", waiting, err)
	}
	w.clock.advance(21 * time.Second)
	if waiting, err := other.DeleteRevoked(t.Context()); waiting != 0 || err != nil ||
		len(w.vexa.Tokens()) != 0 {
		t.Errorf("%d waiting, %v, %d tokens", waiting, err, len(w.vexa.Tokens()))
	}
	close(until)
	if left := <-done; len(left) == 0 || len(w.events(mapping.EventNotEnded)) != len(left) {
		t.Errorf("left %q, and the audit has %+v", left, w.events(mapping.EventNotEnded))
	}
}
