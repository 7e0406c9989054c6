package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/vexa/vexatest"
)

// S5: two bridges share one store. A sign-out at one ends the session at the other, its streams too, within a
// second; so does what an admin does from a third process.
func TestTwoBridges(t *testing.T) { onEachEngine(t, testTwoBridges) }

func testTwoBridges(t *testing.T, on engine) {
	for name, end := range map[string]func(*world, *browser){
		"signed out at the other": func(w *world, b *browser) {
			if res := b.send("POST", "/sso/logout", "", "Origin", public); res.status != http.StatusSeeOther {
				w.t.Errorf("signing out: %v", res)
			}
		},
		"suspended by an admin": func(w *world, _ *browser) {
			cfg, err := w.load()
			must(w.t, err)
			admin, err := bridge.OpenAdmin(w.t.Context(), cfg)
			must(w.t, err)
			defer admin.Close()
			account, err := admin.Accounts.Find(w.t.Context(), ada)
			must(w.t, err)
			must(w.t, admin.Accounts.Revoke(w.t.Context(), mapping.Revocation{
				At: time.Now(), Kind: mapping.RevokeAccount, Account: account.ID, Reason: "left",
			}, "an admin"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, on.option(t))
			one, other := w.serve(), w.serve()
			here := one.signIn("okta", ada)
			there := here.moved(other)
			bystander := other.signIn("okta", tim)
			good(t, "here", here)
			good(t, "there", there)
			socket, stream, staying := there.mustSocket(), there.events(), bystander.mustSocket()

			var streams sync.WaitGroup
			began := oidctest.StartStopwatch(t)
			end(w, here)
			streams.Go(func() {
				if closed := closing(t, socket); closed != 4401 || began.Took() > oidctest.Promised {
					t.Errorf("the socket was closed with %d after %s", closed, began.Took())
				}
			})
			streams.Go(func() {
				if ends(t, stream); began.Took() > oidctest.Promised {
					t.Errorf("the stream ended after %s", began.Took())
				}
			})
			for _, b := range []*browser{here, there} {
				b.at.waitFor("access to end", func() bool {
					return b.get("/meetings").status != http.StatusOK
				})
				if took := began.Took(); took > oidctest.Promised {
					t.Errorf("access ended after %s", took)
				}
			}
			streams.Wait()
			for _, b := range []*browser{here, there} {
				b.at.waitFor("the session to end", func() bool {
					return b.get("/sso/whoami").status == http.StatusUnauthorized
				})
				if took := began.Took(); took > 2*oidctest.Promised {
					t.Errorf("the session ended after %s", took)
				}
			}
			good(t, "who was not meant", bystander)
			talks(t, "who was not meant", staying)
			if n := len(w.vexa.Users()); n != 2 {
				t.Errorf("%d users at Vexa", n)
			}
		})
	}
}

// S6: two bridges share one mint, however many requests wait at each.
func TestTwoBridgesMintOnce(t *testing.T) { onEachEngine(t, testTwoBridgesMintOnce) }

func testTwoBridgesMintOnce(t *testing.T, on engine) {
	w := newWorld(t, on.option(t))
	replicas := []*replica{w.serve(), w.serve()}
	b := replicas[0].signIn("okta", ada)
	var asking sync.WaitGroup
	for i := range 40 {
		asking.Go(func() {
			if res := b.moved(replicas[i%2]).get("/meetings"); res.status != http.StatusOK {
				t.Error(res)
			}
		})
	}
	asking.Wait()
	user, _ := w.vexa.User(ada)
	if calls := w.vexa.Calls(); calls.TokensMinted != 1 || w.vexa.PeakMints(user.ID) != 1 ||
		calls.UsersCreated != 1 {
		t.Errorf("%+v, %d mints at a time", calls, w.vexa.PeakMints(user.ID))
	}
}

// S11: a store that another key ring sealed is not touched: the program, and the admin's commands, say whose
// it is. A ring that was rotated opens it.
func TestAnotherKeyRing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.load()
	must(t, err)
	r := w.serve()
	signedIn := r.signIn("okta", ada)
	good(t, "at first", signedIn)
	must(t, r.stop())
	file := filepath.Join(w.dir, "keyring.json")
	right, err := os.ReadFile(file)
	must(t, err)

	wrong, err := keyring.Generate()
	must(t, err)
	w.write("keyring.json", string(wrong))
	second, err := w.load()
	must(t, err)
	err = w.launch().failed()
	_, adminErr := bridge.OpenAdmin(t.Context(), second)
	for who, err := range map[string]error{"Run": err, "OpenAdmin": adminErr} {
		if err == nil || !strings.Contains(err.Error(), first.Ring.ID()) ||
			!strings.Contains(err.Error(), second.Ring.ID()) {
			t.Errorf("%s: %v; want to read of %s and %s", who, err, first.Ring.ID(), second.Ring.ID())
		}
	}
	if n := len(w.keys()); n != 1 {
		t.Errorf("%d keys at Vexa", n)
	}

	rotated, err := keyring.Rotate(right)
	must(t, err)
	for _, ring := range [][]byte{rotated, right, rotated} { // a rollback, too
		w.write("keyring.json", string(ring))
		r = w.launch()
		if bytes.Equal(ring, right) {
			if r.failed() == nil { // what the newer key sealed could not be opened
				t.Error("the ring from before the rotation is taken")
			}
			continue
		}
		r.waitFor("it to serve", func() bool { return r.heard("serving") != nil })
		r.address = r.heard("listening")["listen"].(string)
		good(t, "with the rotated ring", signedIn.moved(r))
		must(t, r.stop())
	}
	if calls := w.vexa.Calls(); calls.TokensMinted != 1 {
		t.Errorf("%+v", calls)
	}
}

// Told to stop, a bridge lets requests finish, tells its streams, takes nobody new, and is gone.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	b := r.signIn("okta", ada)
	good(t, "before", b)
	socket, stream := b.mustSocket(), b.events()
	release := make(chan struct{})
	held := w.vexa.Inject(vexatest.Fault{
		Part: vexatest.Gateway, Path: "/meetings", Effect: vexatest.HoldBefore, Until: release,
	})
	slow := make(chan answer, 1)
	go func() {
		res, err := b.try("GET", "/meetings", "")
		if err != nil {
			t.Errorf("the slow request: %v", err)
		}
		slow <- res
	}()
	must(t, held.Wait(t.Context(), 1))

	r.cancel()
	if closed := closing(t, socket); closed != websocket.StatusGoingAway {
		t.Errorf("the socket was closed with %d", closed)
	}
	ends(t, stream)
	waitFor(t, "nobody new to be taken", func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case res := <-slow:
		t.Errorf("the slow request did not wait: %v", res)
	case <-r.ended:
		t.Error("it ended without the slow request")
	default:
	}
	close(release)
	if res := <-slow; res.status != http.StatusOK {
		t.Errorf("the slow request: %v", res)
	}
	<-r.ended
	if r.err != nil {
		t.Errorf("it ended with %v", r.err)
	}
	if r.heard("stopped") == nil {
		t.Error("it does not say that it stopped")
	}
	if n := w.vexa.OpenStreams(""); n != 0 {
		t.Errorf("%d streams are open at Vexa", n)
	}
}

// What Run returns is all that there was: nothing of it still runs, whatever it was doing.
func TestNothingIsLeftRunning(t *testing.T) {
	t.Parallel()
	for name, live := range map[string]func(*world, *replica){
		"idle": func(*world, *replica) {},
		"in use": func(w *world, r *replica) {
			b := r.signIn("okta", ada)
			good(w.t, "at work", b)
			b.mustSocket()
			b.events()
			good(w.t, "at work", r.signIn("entra", ada))
		},
		"while all hangs": func(w *world, r *replica) {
			b := r.signIn("okta", ada)
			good(w.t, "at work", b)
			for _, part := range []vexatest.Part{vexatest.AdminAPI, vexatest.Gateway} {
				w.vexa.Set(part, vexatest.Hung)
			}
			must(w.t, os.Rename(w.store(), w.store()+".away"))
			held := w.vexa.GatewayWire()
			held.Forget()
			go func() { _, _ = b.try("GET", "/meetings", "") }()
			_, err := held.WaitFor(w.t.Context(), nil)
			must(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			// Goroutines have the labels of who started them.
			mark := "bridge of " + t.Name()
			var r *replica
			pprof.Do(t.Context(), pprof.Labels("test", mark), func(context.Context) { r = w.serve() })
			if running(t, mark) < 5 {
				t.Fatal("the label does not tell what runs")
			}
			live(w, r)
			began := oidctest.StartStopwatch(t)
			must(t, r.stop())
			if took := began.Took(); took > 15*time.Second { // 10 s for requests under way
				t.Errorf("it took %s to stop", took)
			}
			waitFor(t, "its goroutines to end", func() bool { return running(t, mark) == 0 })
		})
	}
}

// running counts the goroutines with that label.
func running(t testing.TB, mark string) (n int) {
	t.Helper()
	var all bytes.Buffer
	must(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
	for block := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(block, mark) {
			n++
		}
	}
	return n
}

// An address that is taken is said at once, and nothing is left of the attempt.
func TestAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { taken.Close() })
	address := taken.Addr().String()
	for _, instead := range []string{"listen: 127.0.0.1:0", "metrics: { listen: 127.0.0.1:0 }"} {
		w := newWorld(t)
		w.document = strings.Replace(document, instead,
			strings.Replace(instead, "127.0.0.1:0", address, 1), 1)
		w.configure()
		var r *replica
		mark := "bridge of " + t.Name() + instead
		pprof.Do(t.Context(), pprof.Labels("test", mark), func(context.Context) { r = w.launch() })
		if err := r.failed(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", instead, err)
		}
		if running(t, mark) != 0 {
			t.Errorf("%s: something is left running", instead)
		}
	}
}

// Whoever waits for a bridge is told once, when both listeners and the store are open, and where.
func TestReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := make(chan [2]string, 2)
	r := w.serve(func(o *bridge.Options) {
		o.Ready = func(address, metrics net.Addr) { told <- [2]string{address.String(), metrics.String()} }
	})
	if at := <-told; at != [2]string{r.address, r.metrics} {
		t.Errorf("ready at %v, it listens at %s and %s", at, r.address, r.metrics)
	}
	good(t, "when it says so", r.signIn("okta", ada))
	must(t, r.stop())
	if len(told) > 0 {
		t.Error("told twice")
	}
}
