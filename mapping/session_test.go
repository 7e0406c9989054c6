package mapping_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

const mostSessions = 3

// begin begins a session of an account in a browser that had another, as a sign-in does.
func (w *world) begin(a *mapping.Accounts, acc mapping.Account, id string, had *caller.Session) (
	caller.Session, []mapping.Revocation, error,
) {
	now := w.clock.Now()
	s := caller.Session{
		ID: id, Hash: sha256.Sum256([]byte(id)), AccountID: acc.ID, Provider: acc.Provider, CreatedAt: now,
		LastSeen: now, ExpiresAt: now.Add(time.Hour),
	}
	start := mapping.SessionStart{
		Account: acc.ID, Event: mapping.Event{Event: mapping.EventSignIn, Account: acc.ID},
		Most: mostSessions, Put: func(tx mapping.Tx) error { return tx.(caller.SessionTx).PutSession(s) },
	}
	if had != nil {
		start.Replaces, start.ReplacedAccount = had.ID, had.AccountID
	}
	ended, err := a.BeginSession(w.t.Context(), start)
	return s, ended, err
}

// S5: nobody gets a session whose access ended while they signed in, on whatever replica.
func TestNoSessionForWhoEnded(t *testing.T) {
	t.Parallel()
	for code, end := range map[string]func(*mapping.Accounts, *world, mapping.Account) error{
		mapping.CodeSuspended: func(a *mapping.Accounts, w *world, acc mapping.Account) error {
			return a.Revoke(w.t.Context(), suspend(acc), "grace")
		},
		mapping.CodeUnauthenticated: func(a *mapping.Accounts, w *world, acc mapping.Account) error {
			return a.SignOutEverywhere(w.t.Context(), acc.ID, "told to", "grace")
		},
	} {
		w := newWorld(t)
		a := w.replica()
		acc := w.signIn(a, person("ada"))
		if err := end(w.replica(), w, acc); err != nil {
			t.Fatal(err)
		}
		_, _, err := w.begin(a, acc, "s1", nil)
		if failed, ok := errors.AsType[*mapping.Error](err); !ok || failed.Code != code ||
			w.sessions(acc) != 0 {
			t.Errorf("%s: %v, %d sessions", code, err, w.sessions(acc))
		}
	}
}

// D2, S12: a session that begins ends the one that the browser had, whosever that was, and the oldest beyond
// the most that an account may have; all of it is written with the sign-in, or none.
func TestSessionTakesAPlace(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, w *world) {
		a := w.replica()
		ada, tim := w.signIn(a, person("ada")), w.signIn(a, person("tim"))
		his, _, err := w.begin(a, tim, "tim's", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, had := range []*caller.Session{&his, nil, nil, nil} {
			w.clock.advance(time.Second)
			_, ended, err := w.begin(a, ada, fmt.Sprint("ada's ", i), had)
			if err != nil {
				t.Fatal(err)
			}
			want := map[int]string{0: "tim's", 3: "ada's 0"}[i]
			if want == "" && len(ended) != 0 || want != "" && (len(ended) != 1 || ended[0].Session != want) {
				t.Errorf("%d: ended %+v, want %q", i, ended, want)
			}
		}
		if w.sessions(tim) != 0 || w.sessions(ada) != 3 {
			t.Errorf("%d and %d sessions", w.sessions(tim), w.sessions(ada))
		}
		if _, _, err := w.begin(a, ada, "ada's 3", nil); !errors.Is(err, mapping.ErrConflict) {
			t.Errorf("the same session again: %v", err)
		}
		if w.sessions(ada) != 3 {
			t.Errorf("what was not written ended %d sessions", 3-w.sessions(ada))
		}
	})
}
