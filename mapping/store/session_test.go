package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/caller"
)

func TestSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 0))
		first, second, bobs := session("s1", "ada", 0), session("s2", "ada", 1), session("s3", "bob", 2)
		second.SID, second.SealedIDToken, second.LogoutHint = "", nil, ""
		bobs.SID = first.SID // two providers, or a provider that starts over, may give one id twice
		bobs.Provider = "entra"
		create(t, s, first, second, bobs)

		for _, want := range []caller.Session{first, second, bobs} {
			got, err := s.SessionByHash(t.Context(), want.Hash)
			if diff := cmp.Diff(want, got.Session); err != nil || diff != "" {
				t.Errorf("%s: %v %s", want.ID, err, diff)
			}
			if got.Account.ID != want.AccountID || got.Account.Identity.Subject == "" ||
				got.RenewsInBackground {
				t.Errorf("%s is of %+v", want.ID, got.Account)
			}
		}
		if _, err := s.SessionByHash(t.Context(), [32]byte{}); !errors.Is(err, mapping.ErrNotFound) ||
			errors.Is(err, mapping.ErrStoreUnavailable) {
			t.Errorf("an unknown hash: %v", err)
		}
		if err := storetest.CreateSession(t.Context(), s, first); !errors.Is(err, mapping.ErrConflict) {
			t.Errorf("the same session again: %v", err)
		}
		if err := storetest.CreateSession(t.Context(), s, session("s4", "nobody", 0)); !errors.Is(
			err, mapping.ErrNotFound,
		) {
			t.Errorf("a session of no account: %v", err)
		}

		for what, list := range map[string]func() ([]caller.Session, error){
			"s1 s2 s3": func() ([]caller.Session, error) { return s.Sessions(t.Context()) },
			"s1 s2":    func() ([]caller.Session, error) { return s.SessionsOf(t.Context(), "ada") },
			"s1": func() ([]caller.Session, error) {
				return s.SessionsBySID(t.Context(), "okta", first.SID)
			},
			"s3": func() ([]caller.Session, error) {
				return s.SessionsBySID(t.Context(), "entra", first.SID)
			},
			// s2 has none, and that is no id
			"": func() ([]caller.Session, error) { return s.SessionsBySID(t.Context(), "okta", "") },
		} {
			found, err := list()
			if got := sessionIDs(found); err != nil || got != what {
				t.Errorf("found %q, %v; want %q", got, err, what)
			}
		}

		update(t, s, func(tx mapping.Tx) error {
			if err := tx.DeleteSession("nobody"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("deleting an unknown session: %v", err)
			}
			if err := errors.Join(tx.CheckSession("s3", first.CreatedAt),
				tx.DeleteSession("s3")); err != nil {
				return err
			}
			for id, at := range map[string]time.Time{"s3": first.CreatedAt, "s1": first.ExpiresAt} {
				if err := tx.CheckSession(id, at); !errors.Is(err, mapping.ErrSessionEnded) {
					t.Errorf("checking %s, which is over: %v", id, err)
				}
			}
			return nil
		})
		update(t, s, func(tx mapping.Tx) error {
			n, err := tx.DeleteSessions("ada")
			if n != 2 {
				t.Errorf("deleted %d of ada's sessions", n)
			}
			return err
		})
		if left, err := s.Sessions(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

func sessionIDs(sessions []caller.Session) string {
	ids := make([]string, len(sessions))
	for i, s := range sessions {
		ids[i] = s.ID
	}
	return strings.Join(ids, " ")
}

func TestTouchSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		create(t, s, session("s1", "ada", 0), session("s2", "ada", 10), session("s3", "ada", 0))

		seen := map[string]time.Time{"s1": at(5), "s2": at(5)}
		for i := range 2*touchBatch + 1 {
			seen[fmt.Sprintf("unknown %d", i)] = at(5)
		}
		for range 2 {
			if err := s.TouchSessions(t.Context(), seen); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.TouchSessions(t.Context(), nil); err != nil {
			t.Errorf("nothing to touch: %v", err)
		}
		for id, want := range map[string]time.Time{"s1": at(5), "s2": at(10), "s3": at(0)} {
			got, err := s.SessionByHash(t.Context(), session(id, "ada", 0).Hash)
			if err != nil || !got.LastSeen.Equal(want) {
				t.Errorf("%s was seen at %v, %v; want %v", id, got.LastSeen, err, want)
			}
		}
	})
}

func TestPurgeSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		expired, idle, alive := session("expired", "ada", 0), session("idle", "ada", 0),
			session("alive", "ada", 0)
		expired.ExpiresAt, expired.LastSeen = at(59), at(60)
		idle.ExpiresAt, idle.LastSeen = at(99), at(29)
		alive.ExpiresAt, alive.LastSeen = at(60), at(30)
		create(t, s, expired, idle, alive)

		db.clock.Advance(time.Hour)
		if err := s.Purge(t.Context(), mapping.Retention{Idle: 30 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		left, err := s.Sessions(t.Context())
		if err != nil || sessionIDs(left) != "alive" {
			t.Errorf("left: %q, %v", sessionIDs(left), err)
		}
	})
}

// S2, F4: no byte of the file is the value that a browser holds; its hash is there.
func TestBearerValueIsNotStored(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	s := db.open(t)
	put(t, s, account("ada", 0))
	bearer := "canary-bearer-value-of-the-cookie"
	one := session("s1", "ada", 0)
	one.Hash = sha256.Sum256([]byte(bearer))
	create(t, s, one)

	var dump []byte
	files, err := filepath.Glob(strings.TrimPrefix(db.url, "sqlite:") + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, content...)
	}
	if bytes.Contains(dump, []byte(bearer)) || !bytes.Contains(dump, one.Hash[:]) {
		t.Errorf("the bearer value is in the files %q, or its hash is not", files)
	}
}

// Readers do not wait for a writer.
func TestReadWhileWriting(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		create(t, s, session("s1", "ada", 0))
		update(t, s, func(tx mapping.Tx) error {
			if _, err := tx.DeleteSessions("ada"); err != nil {
				return err
			}
			if _, err := s.SessionByHash(oidctest.Within(t), session("s1", "ada", 0).Hash); err != nil {
				t.Errorf("while another deletes it: %v", err)
			}
			return nil
		})
		if _, err := s.SessionByHash(t.Context(), session("s1", "ada", 0).Hash); !errors.Is(
			err, mapping.ErrNotFound,
		) {
			t.Errorf("once it is deleted: %v", err)
		}
	})
}
