package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
)

func authorization(code string, minutes int) authserver.Authorization {
	return authserver.Authorization{
		Kind: authserver.KindDevice, Hash: sha256.Sum256([]byte(code)), UserCode: code,
		Status: authserver.StatusPending, ExpiresAt: at(minutes), Asked: authserver.Asked{
			Client: "cli", Scopes: []string{"bot", "tx"}, Address: "192.0.2.1", At: at(0),
			Interval: 5 * time.Second,
		},
	}
}

func TestAuthorizations(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		device, code := authorization("BCDFGHJK", 10), authorization("", 1)
		code.Kind, code.AccountID, code.Status = authserver.KindCode, "ada", authserver.StatusApproved
		code.Asked.RedirectURI, code.Asked.Challenge = "http://127.0.0.1:9/callback", "challenge"
		other := code // two may have nothing to type
		other.Hash[0]++
		for _, a := range []authserver.Authorization{device, code, other} {
			if err := s.AddAuthorization(t.Context(), a, 10); err != nil {
				t.Fatal(err)
			}
		}

		taken := device
		taken.Hash[0]++
		for what, a := range map[string]authserver.Authorization{"hash": code, "user code": taken} {
			if err := s.AddAuthorization(t.Context(), a, 10); !errors.Is(err, mapping.ErrConflict) {
				t.Errorf("the same %s again: %v", what, err)
			}
		}

		got, err := s.AuthorizationByUserCode(t.Context(), "BCDFGHJK")
		if diff := cmp.Diff(device, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		for _, unknown := range []string{"", "ZZZZZZZZ"} {
			if _, err := s.AuthorizationByUserCode(t.Context(), unknown); !errors.Is(
				err, mapping.ErrNotFound,
			) {
				t.Errorf("%q: %v", unknown, err)
			}
		}

		err = s.ChangeAuthorization(t.Context(), device.Hash, func(a *authserver.Authorization) error {
			a.Status, a.AccountID, a.Asked.PolledAt, a.Asked.Token, a.ExpiresAt = authserver.StatusSpent,
				"ada", at(2), "tok", at(99)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refusal := errors.New("no")
		err = s.ChangeAuthorization(t.Context(), device.Hash, func(a *authserver.Authorization) error {
			a.Status = authserver.StatusDenied
			return refusal
		})
		if !errors.Is(err, refusal) {
			t.Errorf("a change that is refused: %v", err)
		}
		device.Status, device.AccountID, device.Asked.PolledAt, device.Asked.Token,
			device.ExpiresAt = authserver.StatusSpent, "ada", at(2), "tok", at(99)
		got, err = s.AuthorizationByUserCode(t.Context(), "BCDFGHJK")
		if diff := cmp.Diff(device, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if err := s.ChangeAuthorization(
			t.Context(), [32]byte{}, func(*authserver.Authorization) error { return nil },
		); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("a change of none: %v", err)
		}

		db.clock.Advance(50*time.Minute + authserver.TicketLifetime)
		purge(t, s)
		if _, err := s.AuthorizationByUserCode(t.Context(), "BCDFGHJK"); err != nil {
			t.Errorf("what has not expired is gone: %v", err)
		}
	})
}

// What is open is counted by kind. What has expired or was answered makes room.
func TestAuthorizationsAreBounded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		const most = 2
		add := func(code string, change func(*authserver.Authorization)) error {
			a := authorization(code, 10)
			change(&a)
			return s.AddAuthorization(t.Context(), a, most)
		}
		as := func(status authserver.Status) func(*authserver.Authorization) {
			return func(a *authserver.Authorization) { a.Status = status }
		}
		for _, one := range []struct {
			code   string
			change func(*authserver.Authorization)
			want   error
		}{
			{"denied", as(authserver.StatusDenied), nil},
			{"spent", as(authserver.StatusSpent), nil},
			{"expired", func(a *authserver.Authorization) { a.ExpiresAt = at(0) }, nil},
			{"other kind", func(a *authserver.Authorization) { a.Kind = authserver.KindCode }, nil},
			{"first", as(authserver.StatusPending), nil},
			{"second", as(authserver.StatusApproved), nil},
			{"third", as(authserver.StatusPending), authserver.ErrTooMany},
		} {
			if err := add(one.code, one.change); !errors.Is(err, one.want) {
				t.Errorf("%s: %v, want %v", one.code, err, one.want)
			}
		}
		db.clock.Advance(10 * time.Minute)
		if err := add("fourth", func(a *authserver.Authorization) { a.ExpiresAt = at(20) }); err != nil {
			t.Errorf("when the others have expired: %v", err)
		}
	})
}

// Of many who take a thing that is good once, over two processes, one gets it.
func TestOneChangesAnAuthorization(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		replicas := []*Store{db.open(t), db.open(t)}
		for round := range 20 {
			a := authorization(fmt.Sprint("code ", round), 10)
			a.Status = authserver.StatusApproved
			if err := replicas[0].AddAuthorization(t.Context(), a, 100); err != nil {
				t.Fatal(err)
			}
			var got atomic.Int32
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					var mine bool
					err := replicas[i%2].ChangeAuthorization(t.Context(), a.Hash,
						func(a *authserver.Authorization) error {
							mine = a.Status == authserver.StatusApproved
							a.Status = authserver.StatusSpent
							return nil
						})
					if err != nil {
						t.Error(err)
					}
					if mine {
						got.Add(1)
					}
				})
			}
			all.Wait()
			if got.Load() != 1 {
				t.Errorf("%d got it", got.Load())
			}
		}
	})
}
