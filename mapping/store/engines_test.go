package store

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/caller"
)

// database is an empty database of a test. Each Store that the test opens on it stands for a process.
type database struct {
	url   string
	clock *oidctest.Clock
}

// onEachEngine runs a test on SQLite, and on PostgreSQL where there is a server for tests.
func onEachEngine(t *testing.T, test func(t *testing.T, db *database)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newPostgres(t))
	})
}

func newSQLite(t *testing.T) *database {
	return &database{"sqlite:" + filepath.Join(t.TempDir(), "vexa-sso.db"), newClock()}
}

// newPostgres makes a schema of its own for the test.
func newPostgres(t *testing.T) *database {
	t.Helper()
	return &database{storetest.Postgres(t), newClock()}
}

// open opens the database, as a process would, until the test is over.
func (db *database) open(t *testing.T) *Store {
	t.Helper()
	return db.openWith(t, db.url, testLimits)
}

// testLimits are so wide that a busy machine does not fail tests that are not about them.
var testLimits = limits{
	open: time.Minute, read: 20 * time.Second, list: 20 * time.Second, write: 20 * time.Second,
	hurried: 20 * time.Second, tail: 20 * time.Second,
}

func (db *database) openWith(t *testing.T, url string, patience limits) *Store {
	t.Helper()
	s, err := open(t.Context(), Config{URL: url, Grace: 30 * time.Second}, Env{Now: db.clock.Now}, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newClock() *oidctest.Clock { return oidctest.NewClock(at(0)) }

// at is so many minutes after the tests' beginning of time.
func at(minutes int) time.Time {
	return time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// await waits until something holds that another goroutine brings about.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	oidctest.WaitFor(t, what, holds)
}

func account(id string, minutes int) mapping.Account {
	return mapping.Account{
		ID: id, Provider: "okta", Subject: "okta:https://acme.okta.com/" + id, Kind: oidc.User,
		Identity: oidc.Identity{
			Provider: "okta", Subject: "okta:https://acme.okta.com/" + id, Kind: oidc.User,
			Email: id + "@acme.example", EmailTrusted: true,
			Name: "Ada \x00 Łovelace", Groups: []string{"a", "b"}, GroupsComplete: true,
			Claims: map[string]any{"n": json.Number("9007199254740993"), "list": []any{"x"}},
		},
		Status: mapping.Pending, Reason: "the Vexa user is taken",
		VexaEmail: id + "@acme.example", VexaUserID: 7, Intended: true,
		CreatedAt: at(minutes), ProvenAt: at(minutes + 1),
	}
}

func session(id, accountID string, minutes int) caller.Session {
	s := caller.Session{
		ID: id, AccountID: accountID, Provider: "okta", SID: "sid-" + id, AuthTime: at(minutes),
		CreatedAt: at(minutes), LastSeen: at(minutes), ExpiresAt: at(minutes + 60),
		SealedIDToken: []byte{1, 0, 255}, LogoutHint: "hint",
	}
	copy(s.Hash[:], id)
	return s
}

// put writes accounts.
func put(t *testing.T, s *Store, accounts ...mapping.Account) {
	t.Helper()
	update(t, s, func(tx mapping.Tx) error {
		for _, a := range accounts {
			if err := tx.PutAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// update changes what hangs on any account.
func update(t *testing.T, s *Store, fn func(mapping.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx mapping.Tx) error {
		return errors.Join(lockAll(tx), fn(tx))
	}); err != nil {
		t.Fatal(err)
	}
}

// lockAll locks every account, as whoever writes what hangs on one has read it before.
func lockAll(tx mapping.Tx) error {
	all, err := tx.AccountsAfter(mapping.Place{}, 1000)
	for _, a := range all {
		_, failed := tx.Account(a.ID)
		err = errors.Join(err, failed)
	}
	return err
}

// purge purges what is due, where nothing is kept for long.
func purge(t *testing.T, s *Store) {
	t.Helper()
	r := mapping.Retention{Idle: time.Hour, Events: time.Hour}
	if err := s.Purge(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s *Store, fn func(mapping.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, s *Store, sessions ...caller.Session) {
	t.Helper()
	for _, one := range sessions {
		if err := storetest.CreateSession(t.Context(), s, one); err != nil {
			t.Fatal(err)
		}
	}
}

// hear collects the revocations that a Store tells of.
func hear(t *testing.T, s *Store) <-chan mapping.Revocation {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	heard := make(chan mapping.Revocation, 10_000)
	s.Watch(ctx, func(r mapping.Revocation) { heard <- r })
	return heard
}

func next(t *testing.T, heard <-chan mapping.Revocation) mapping.Revocation {
	t.Helper()
	select {
	case r := <-heard:
		return r
	case <-time.After(oidctest.Patience):
		t.Fatal("heard of no revocation")
		return mapping.Revocation{}
	}
}
