package vexatest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFaultsBeforeAndAfterTheEffect(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		for _, one := range []struct {
			name   string
			effect Effect
			status int  // 0: the connection was cut
			done   bool // it has happened all the same
		}{
			{"failbefore", FailBefore, 500, false},
			{"failafter", FailAfter, 500, true},
			{"cutbefore", CutBefore, 0, false},
			{"cutafter", CutAfter, 0, true},
		} {
			email := one.name + "@example.com"
			fault := s.Inject(Fault{Method: "POST", Path: "/admin/users", Effect: one.effect})
			if status, body := c.create(email); status != one.status {
				t.Errorf("%s: %d %s", one.name, status, body)
			}
			if _, done := s.User(email); done != one.done {
				t.Errorf("%s: the user is there: %v", one.name, done)
			}
			want := http.StatusCreated
			if one.done {
				want = http.StatusOK
			}
			if status, body := c.create(email); status != want {
				t.Errorf("%s: asked again: %d %s", one.name, status, body)
			}
			if fault.Hits() != 1 {
				t.Errorf("%s: met by %d calls", one.name, fault.Hits())
			}
		}
	})
}

func TestFaultMatchesMethodPathAndTimes(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		u := s.AddUser("a@example.com", "")
		fault := s.Inject(Fault{
			Method: "DELETE", Path: "/admin/tokens/", Times: 2, Status: 429, Body: `{"detail":"slow down"}`,
		})
		s.AddToken(u.ID, "", 0)
		if status, _ := c.admin("GET", "/admin/users/1", ""); status != 200 {
			t.Errorf("another call: %d", status)
		}
		for _, want := range []int{429, 429, 204, 404} {
			if status, body := c.admin("DELETE", "/admin/tokens/1", ""); status != want {
				t.Errorf("%d %s, not %d", status, body, want)
			}
		}
		always := s.Inject(Fault{Times: -1})
		for range 3 {
			if status, _ := c.mint(u.ID); status != 500 {
				t.Errorf("%d", status)
			}
		}
		always.Heal()
		if status, _ := c.mint(u.ID); status != 201 || always.Hits() != 3 || fault.Hits() != 2 {
			t.Errorf("healed: %d, %d and %d hits", status, always.Hits(), fault.Hits())
		}
		if n := s.Calls(); n.TokensMinted != 1 || n.TokensDeleted != 1 || n.Delete != 2 {
			t.Errorf("%+v", n)
		}
	})
}

func TestHeldMintsAreSeenTogether(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		a, b := s.AddUser("a@example.com", ""), s.AddUser("b@example.com", "")
		gate := make(chan struct{})
		held := s.Inject(Fault{
			Method: "POST", Path: "/admin/users/", Times: 3, Effect: HoldBefore, Until: gate,
		})
		var minting sync.WaitGroup
		for _, user := range []int64{a.ID, a.ID, b.ID} {
			minting.Go(func() { c.mint(user) })
		}
		if err := held.Wait(deadline(t), 3); err != nil {
			t.Fatal(err)
		}
		if len(s.Tokens()) != 0 {
			t.Error("minted although held")
		}
		close(gate)
		minting.Wait()
		c.mint(b.ID) // one after the other is one at a time
		if s.PeakMints(a.ID) != 2 || s.PeakMints(b.ID) != 1 || len(s.Tokens(a.ID)) != 2 {
			t.Errorf("peaks %d and %d, %d tokens", s.PeakMints(a.ID), s.PeakMints(b.ID), len(s.Tokens(a.ID)))
		}
	})
}

func TestHeldAnswerIsLostWhenTheCallerLeaves(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		u := s.AddUser("a@example.com", "")
		held := s.Inject(Fault{Method: "POST", Effect: HoldAfter, Until: make(chan struct{})})
		ctx, leave := context.WithCancel(t.Context())
		var minting sync.WaitGroup
		minting.Go(func() {
			c.doCtx(ctx, "POST", s.AdminURL+"/admin/users/1/tokens", "", "X-Admin-API-Key", DefaultAdminToken)
		})
		if err := held.Wait(deadline(t), 1); err != nil {
			t.Fatal(err)
		}
		if len(s.Tokens(u.ID)) != 1 {
			t.Error("held before it was done")
		}
		leave()
		minting.Wait()
	})
}

// Of simultaneous creations of one new email, all but one run into the unique index.
func TestSimultaneousCreations(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		gate := make(chan struct{})
		race := s.Inject(Fault{Times: 3, Effect: BetweenLookupAndInsert, Until: gate})
		statuses := make(chan int, 3)
		for range 3 {
			go func() { status, _ := c.create("new@example.com"); statuses <- status }()
		}
		if err := race.Wait(deadline(t), 3); err != nil {
			t.Fatal(err)
		}
		close(gate)
		count := make(map[int]int)
		for range 3 {
			count[<-statuses]++
		}
		if count[201] != 1 || count[500] != 2 || len(s.Users()) != 1 {
			t.Errorf("%v, users %v", count, s.Users())
		}
		if status, _ := c.create("new@example.com"); status != 200 {
			t.Errorf("asked again: %d", status)
		}
		if u := s.AddUser("next@example.com", ""); u.ID != 4 {
			t.Errorf("failed inserts use up ids: the next is %d", u.ID)
		}
	})
}

func TestAdminDown(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
		if status, _ := c.create("b@example.com"); status != 201 { // leaves an idle connection
			t.Fatal(status)
		}
		s.Set(AdminAPI, Down)
		if _, open := s.AdminWire().Connections(); open != 0 {
			t.Errorf("%d connections outlive it", open)
		}
		if status, text := c.create("c@example.com"); status != 0 {
			t.Errorf("%d %s", status, text)
		}
		want := map[bool]int{false: 503, true: 401}[s.legacy()]
		if status, body := c.gateway("GET", "/meetings", key); status != want {
			t.Errorf("gateway: %d %s", status, body)
		}
		s.Heal()
		if status, _ := c.create("c@example.com"); status != 201 {
			t.Errorf("healed: %d", status)
		}
	})
}

func TestAdminHungUntilReleased(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		s.Set(AdminAPI, Hung)
		status := make(chan int)
		go func() { n, _ := c.create("a@example.com"); status <- n }()
		if _, err := s.AdminWire().WaitFor(deadline(t), nil); err != nil {
			t.Fatal(err)
		}
		if len(s.Users()) != 0 {
			t.Error("done while hung")
		}
		s.Set(AdminAPI, Up)
		if n := <-status; n != 201 {
			t.Errorf("released: %d", n)
		}
	})
}

// The gateway gives a hung Admin API five seconds, by the clock that the Config gives it.
func TestGatewayGivesUpOnHungAdmin(t *testing.T) {
	t.Parallel()
	waits := make(chan time.Duration, 8)
	over := make(chan time.Time)
	s := Start(t, func(c *Config) {
		c.After = func(d time.Duration) <-chan time.Time { waits <- d; return over }
	})
	key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0).Secret
	s.Set(AdminAPI, Hung)
	status := make(chan int)
	go func() { n, _ := newClient(t, s).gateway("GET", "/auth/me", key); status <- n }()
	if d := <-waits; d != 5*time.Second {
		t.Errorf("waits %v", d)
	}
	close(over)
	if n := <-status; n != 503 {
		t.Errorf("%d", n)
	}
}

func TestGatewayDownAndBack(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
		path := "/mcp"
		status := make(chan string)
		go func() { _, text := c.gateway("GET", path, key); status <- text }()
		if err := s.WaitStreams(deadline(t), path, 1); err != nil {
			t.Fatal(err)
		}
		s.Set(Gateway, Down)
		if text := <-status; !strings.Contains(text, "reset") && !strings.Contains(text, "EOF") {
			t.Errorf("the stream ended with %q", text)
		}
		if n, _ := c.gateway("GET", "/auth/me", key); n != 0 {
			t.Errorf("down: %d", n)
		}
		s.Set(Gateway, Up)
		if n, _ := c.gateway("GET", "/auth/me", key); n != 200 {
			t.Errorf("back: %d", n)
		}
		if err := s.WaitStreams(deadline(t), "", 0); err != nil {
			t.Error(err)
		}
	})
}

func TestReinstall(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		old := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0).Secret
		s.AddUser("b@example.com", "")
		s.Reinstall()
		if status, body := c.create("other@example.com"); status != 201 ||
			!strings.Contains(body, `"id":1,`) {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := c.gateway("GET", "/auth/me", old); status != 401 {
			t.Errorf("the old key: %d", status)
		}
	})
}

// The handlers work behind a server that is not ours, down and up.
func TestHandlersElsewhere(t *testing.T) {
	t.Parallel()
	s := New(Config{Generation: Generation010})
	t.Cleanup(s.Close)
	server := httptest.NewServer(s.GatewayHandler())
	t.Cleanup(server.Close)
	c := newClient(t, s)
	ask := func() int {
		status, _ := c.do("POST", server.URL+"/admin/users", `{"email":"a@example.com"}`,
			"X-Admin-API-Key", DefaultAdminToken,
			"Content-Type", "application/json")
		return status
	}
	if status := ask(); status != 201 {
		t.Errorf("%d", status)
	}
	s.Set(Gateway, Down)
	if status := ask(); status != 0 {
		t.Errorf("down: %d", status)
	}
	s.Set(Gateway, Up)
	if status := ask(); status != 200 {
		t.Errorf("back: %d", status)
	}
}
