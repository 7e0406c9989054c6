package caller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/exchange"
)

// A cold request reads its caller once, however many others are revoked meanwhile: a hundred during every
// read.
func TestOthersRevokedMakeNobodyReadAgain(t *testing.T) {
	t.Parallel()
	const people = 200
	m, reads := newMemory(), 0
	for i := range people {
		account := fmt.Sprint("account ", i)
		c, err := m.sessions.load(t.Context(), cookieKey(account), func(context.Context) (*Caller, error) {
			reads++
			for other := range 100 {
				if other%2 == 0 {
					m.end(fmt.Sprint("other ", reads, other), "")
				} else {
					m.reload(fmt.Sprint("other ", reads, other))
				}
			}
			return callerOf(account, "ses_"+account), nil
		})
		if err != nil || c.Account.ID != account {
			t.Fatal(c, err)
		}
		if _, ok := m.sessions.get(cookieKey(account), time.Time{}); !ok {
			t.Errorf("%s is not remembered", account)
		}
	}
	if reads > people+2 { // in one of a hundred such runs one shares its marks with others
		t.Errorf("%d cold requests read %d times", people, reads)
	}
}

// S12: whose account is revoked during every read is told to come again, and not read for ever.
func TestLookUpThatNeverSettlesIsGivenUp(t *testing.T) {
	t.Parallel()
	m, reads := newMemory(), 0
	_, err := m.sessions.load(t.Context(), cookieKey("cookie"), func(context.Context) (*Caller, error) {
		reads++
		m.reload("ada")
		return callerOf("ada", "ses_1"), nil
	})
	if code := exchange.AsProblem(err).Code; err == nil || code != "store_unavailable" || reads != maxReads {
		t.Errorf("%v after %d reads", err, reads)
	}
	if _, ok := m.sessions.get(cookieKey("cookie"), time.Time{}); ok {
		t.Error("what was dropped is remembered")
	}
}

// A look-up goes on when the request that began it has gone, as long as another waits for it, and ends with
// the last; what another begins then is not that one.
func TestLookUpEndsWhenAllHaveGone(t *testing.T) {
	t.Parallel()
	m := newMemory()
	reading, ended := make(chan struct{}, 1), make(chan error, 1)
	load := func(ctx context.Context) (*Caller, error) {
		reading <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}
	var waiting [2]struct {
		leave func()
		told  chan error
	}
	for i := range waiting {
		ctx, leave := context.WithCancel(t.Context())
		waiting[i].leave, waiting[i].told = leave, make(chan error, 1)
		go func() {
			_, err := m.sessions.load(ctx, cookieKey("cookie"), load)
			waiting[i].told <- err
		}()
		oidctest.WaitFor(t, "it to wait", func() bool { return m.sessions.lookups.waiting() == i+1 })
	}
	<-reading
	waiting[0].leave()
	if err := <-waiting[0].told; exchange.AsProblem(err).Code != "store_unavailable" {
		t.Errorf("who left is told %v", err)
	}
	select {
	case <-ended:
		t.Fatal("the read ended with the request that began it")
	default:
	}
	waiting[1].leave()
	<-waiting[1].told
	<-ended
	c, err := m.sessions.load(t.Context(), cookieKey("cookie"), func(context.Context) (*Caller, error) {
		return callerOf("ada", "ses_1"), nil
	})
	if err != nil || c == nil {
		t.Errorf("who comes then: %v", err)
	}
}

// S12: so many read the store at a time, and of a kind so many wait; one that is waited for no longer leaves
// the queue; other kinds do not wait for them.
func TestStormOfLookUpsIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	var reading, most, reads atomic.Int64
	goOn := make(chan struct{})
	load := func(in *callers, ctx context.Context, name string, wait bool) error {
		_, err := in.load(ctx, cookieKey(name), func(ctx context.Context) (*Caller, error) {
			return in.lookups.inTurn(ctx, func(context.Context) (*Caller, error) {
				reads.Add(1)
				now := reading.Add(1)
				for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
				}
				if wait {
					<-goOn
				}
				reading.Add(-1)
				return callerOf(name, "ses_"+name), nil
			})
		})
		return err
	}
	ctx, leave := context.WithCancel(t.Context())
	var storm, gone sync.WaitGroup
	for i := range maxLookups {
		if i%2 == 0 || i < 2*sessionReads {
			storm.Go(func() {
				if err := load(m.sessions, t.Context(), fmt.Sprint(i), true); err != nil {
					t.Error(err)
				}
			})
		} else {
			gone.Go(func() { _ = load(m.sessions, ctx, fmt.Sprint(i), true) })
		}
	}
	oidctest.WaitFor(t, "all to wait", func() bool { return m.sessions.lookups.waiting() == maxLookups })
	err := load(m.sessions, t.Context(), "one more", true)
	if pr := exchange.AsProblem(err); pr.Code != "store_unavailable" || !errors.Is(err, errTooManyLookups) {
		t.Errorf("one more is told %v", err)
	}
	if err := load(m.tokens, t.Context(), "a token", false); err != nil {
		t.Errorf("another kind: %v", err)
	}
	leave()
	gone.Wait()
	if n := m.sessions.lookups.waiting(); n != maxLookups/2+sessionReads {
		t.Errorf("%d are left in the queue", n)
	}
	close(goOn)
	storm.Wait()
	// of those who left, those whose turn it was already have read
	if n := reads.Load(); most.Load() > sessionReads+1 || n > maxLookups/2+2*sessionReads+1 {
		t.Errorf("%d at a time, %d in all", most.Load(), n)
	}
}

// A fault in a look-up fails the requests that wait for it, and nothing else.
func TestPanicInALookUpIsAnError(t *testing.T) {
	t.Parallel()
	m := newMemory()
	_, err := m.sessions.load(t.Context(), cookieKey("cookie"), func(context.Context) (*Caller, error) {
		panic("a fault of ours")
	})
	if code := exchange.AsProblem(err).Code; err == nil || code != "internal_error" {
		t.Errorf("%v", err)
	}
}

// S5: whatever is loaded, driven out, ended, dropped, one at a time or in the middle of a read, in whatever
// order: nobody is found whose credential has ended, or as they were before the last change of their account.
func TestNobodyIsFoundWhoHasEnded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMemory()
		room := rapid.IntRange(1, 6).Draw(rt, "room for")
		s := newCallers(room*4<<10, m.drops, newLookups(1))
		m.sessions = s
		ended, version := map[string]bool{}, map[string]int64{} // by credential; by account
		credential := func(rt *rapid.T) (account, id string) {
			account = rapid.SampledFrom([]string{"ada", "tim", "eve"}).Draw(rt, "account")
			return account, fmt.Sprint(account, rapid.IntRange(1, 4).Draw(rt, "session"))
		}
		drop := func(rt *rapid.T) {
			account, id := credential(rt)
			switch rapid.SampledFrom([]string{"end", "end all", "reload", "reload all", "none"}).Draw(rt,
				"drop") {
			case "end":
				ended[id] = true
				m.end(account, id)
			case "end all":
				for i := range 4 {
					ended[fmt.Sprint(account, i+1)] = true
				}
				m.end(account, "")
			case "reload":
				version[account]++
				m.reload(account)
			case "reload all":
				for _, a := range []string{"ada", "tim", "eve"} {
					version[a]++
				}
				m.reloadAll()
			}
		}
		var held []*Caller
		right := func(c *Caller, account, id string) {
			if c.ended.Load() || ended[id] || c.Account.VexaUserID != version[account] ||
				c.CredentialID != id {
				rt.Fatalf("%s is found as %v, version %d of %d", id, c.CredentialID, c.Account.VexaUserID,
					version[account])
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"load": func(rt *rapid.T) {
				account, id := credential(rt)
				c, err := s.load(rt.Context(), cookieKey(id), func(context.Context) (*Caller, error) {
					drop(rt)
					if ended[id] {
						return nil, mapping.ErrNotFound
					}
					c := callerOf(account, id)
					c.Account.VexaUserID = version[account]
					drop(rt)
					return c, nil
				})
				if err == nil {
					right(c, account, id)
					held = append(held, c)
				}
			},
			"get": func(rt *rapid.T) {
				account, id := credential(rt)
				if c, ok := s.get(cookieKey(id), time.Time{}); ok {
					right(c, account, id)
				}
			},
			"drop": drop,
			"": func(rt *rapid.T) {
				for _, c := range s.entries.Values() {
					right(c, c.Account.ID, c.CredentialID)
				}
			},
		})
	})
}

// What a caller is said to take is what the heap says, within a third.
func TestSizeOfACaller(t *testing.T) {
	const many = 2000
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for name, groups := range map[string]int{"few groups": 2, "many groups": 150} {
		identity := identityOf(t, groups)
		m, size := newMemory(), 0
		before := heap()
		for i := range many {
			c := callerOf(fmt.Sprint("acc_", i), fmt.Sprint("ses_", i))
			c.Account.Identity = identity()
			c.Session.SealedIDToken = make([]byte, 1024)
			c.view.Store(viewLike())
			size = c.size()
			m.sessions.entries.Add(cookieKey(fmt.Sprint(i)), c, c.Account.ID, size)
		}
		took := (heap() - before) / many
		runtime.KeepAlive(m)
		t.Logf("%s: %d bytes, said to be %d", name, took, size+450)
		if said := size + 450; took > said*4/3 || took < said*2/3 {
			t.Errorf("with %s a caller takes %d bytes, and is said to take %d", name, took, said)
		}
	}
}

// identityOf returns a maker of identities as they come from the store, each with all that it refers to.
func identityOf(t *testing.T, groups int) func() oidc.Identity {
	t.Helper()
	claims := map[string]any{
		"amr": []string{"pwd", "mfa"}, "aud": "0oa1bridge", "auth_time": 1796095112,
		"email_verified": true, "exp": 1796098712, "iat": 1796095112, "ver": 1,
	}
	for _, name := range []string{
		"email", "family_name", "given_name", "idp", "iss", "jti", "locale", "name", "nickname",
		"preferred_username", "sub", "zoneinfo",
	} {
		claims[name] = "a value of a usual length"
	}
	list := make([]string, groups)
	for i := range list {
		list[i] = fmt.Sprintf("7a1f3c52-9d0e-4b6f-8c21-%012d", i)
	}
	claims["groups"] = list
	text, err := json.Marshal(oidc.Identity{
		Provider: "okta", Subject: "okta:https://acme.okta.com/00uGO4AQrqaz5540tXrW", Kind: oidc.User,
		Email: "ada@acme.example", Name: "Ada Byron", Groups: list, Claims: claims,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() (id oidc.Identity) {
		if err := json.Unmarshal(text, &id); err != nil {
			t.Fatal(err)
		}
		return id
	}
}

// viewLike is what three rules say of a caller.
func viewLike() *View {
	v := &View{Matched: "staff", Decision: rule.Decision{Allowed: true}}
	for _, why := range []string{"group vexa-users", "group is not vexa-viewers", "domain is not partner"} {
		v.Decision.Rules = append(v.Decision.Rules, rule.Result{Rule: "a rule", Why: strings.Clone(why)})
	}
	return v
}

// S12: all that is cached of callers takes half of what the process may have, at most; and there is room for
// 100,000 sessions.
func TestCallersFitIntoTheMemoryLimit(t *testing.T) {
	t.Parallel()
	if got := withinLimit(sessionBytes, math.MaxInt64); got != sessionBytes || got < 100_000*8<<10 {
		t.Errorf("without a limit there is room for %d bytes of sessions", got)
	}
	all := 0
	for _, bytes := range []int{sessionBytes, tokenBytes, bearerBytes, nativeBytes} {
		all += withinLimit(bytes, 1<<30)
	}
	if all > 512<<20 || all < 500<<20 {
		t.Errorf("of a GiB they take %d bytes", all)
	}
}
