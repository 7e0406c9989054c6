package mapping_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// world is a Vexa, a store, a key ring, rules and a clock, on which any number of replicas can be started.
type world struct {
	t     testing.TB
	vexa  *vexatest.Server
	store *store.Store
	url   string // of the database
	db    string // its file
	ring  *keyring.Ring
	rules *rule.Live
	clock *clock
	log   *logBook
}

func newWorld(t testing.TB, options ...func(*vexatest.Config)) *world {
	t.Helper()
	db := filepath.Join(t.TempDir(), "vexa-sso.db")
	w := newWorldOn(t, "sqlite:"+db, options...)
	w.db = db
	return w
}

// onEachEngine runs a test on a world on SQLite, and on one on PostgreSQL where there is one.
func onEachEngine(t *testing.T, test func(*testing.T, *world)) {
	for engine, url := range map[string]func(testing.TB) string{
		"sqlite": func(t testing.TB) string {
			return "sqlite:" + filepath.Join(t.TempDir(), "vexa-sso.db")
		},
		"postgres": storetest.Postgres,
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, newWorldOn(t, url(t)))
		})
	}
}

// newWorldOn makes a world on a database of either engine.
func newWorldOn(t testing.TB, url string, options ...func(*vexatest.Config)) *world {
	t.Helper()
	w := &world{t: t, url: url, clock: newClock(), rules: new(rule.Live), log: new(logBook)}
	w.vexa = vexatest.Start(t, append(options, vexatest.Clock(w.clock.Now))...)
	w.store = w.open()
	secret, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if w.ring, err = keyring.Load(secret); err != nil {
		t.Fatal(err)
	}
	w.allow("bot", "tx")
	return w
}

// open opens the database once more, as another process does.
func (w *world) open() *store.Store {
	w.t.Helper()
	s, err := store.Open(context.Background(), store.Config{URL: w.url},
		store.Env{Now: w.clock.Now, Patience: oidctest.Patience})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// on has a replica work on a store that it has opened itself.
func on(s mapping.Store) func(*mapping.Config, *mapping.Deps) {
	return func(_ *mapping.Config, deps *mapping.Deps) { deps.Store = s }
}

// allow gives everybody of the group staff these scopes.
func (w *world) allow(scopes ...string) {
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}}, Grant: &rule.GrantSpec{Scopes: scopes},
	})
}

func (w *world) rule(rules ...rule.Rule) {
	w.t.Helper()
	compiled, problems := rule.Compile(rules)
	if len(problems) > 0 {
		w.t.Fatalf("rules: %v", problems)
	}
	w.rules.Replace(compiled)
}

// replica is one process. Options change what it works with.
func (w *world) replica(options ...func(*mapping.Config, *mapping.Deps)) *mapping.Accounts {
	w.t.Helper()
	cfg := mapping.Config{Instance: "prod"}
	deps := mapping.Deps{
		Store: w.store, Vexa: w.client(), Ring: w.ring, Rules: w.rules,
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: w.clock.Now, After: soon,
	}
	for _, option := range options {
		option(&cfg, &deps)
	}
	return mapping.NewAccounts(cfg, deps)
}

func (w *world) client() *vexa.Client {
	w.t.Helper()
	c, err := vexa.New(vexa.Config{
		GatewayURL: w.vexa.GatewayURL, AdminURL: w.vexa.AdminURL, AdminToken: vexatest.DefaultAdminToken,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// person is a member of staff with a proven email in a trusted domain.
func person(name string) oidc.Identity {
	return oidc.Identity{
		Provider: "okta", Subject: "okta:https://acme.okta.com/00u" + name, Kind: oidc.User,
		Name:  strings.ToUpper(name[:1]) + name[1:],
		Email: name + "@acme.example", EmailTrusted: true, Groups: []string{"staff"}, GroupsComplete: true,
	}
}

// signIn signs somebody in who is expected to be allowed.
func (w *world) signIn(a *mapping.Accounts, id oidc.Identity) mapping.Account {
	w.t.Helper()
	acc, d, err := a.SignIn(w.t.Context(), id, "")
	if err != nil || !d.Allowed {
		w.t.Fatalf("sign in: allowed %v (%s), %v", d.Allowed, d.Reason, err)
	}
	return acc
}

// key asks for the key of the whole grant.
func (w *world) key(a *mapping.Accounts, acc mapping.Account) (secret, id string, err error) {
	g := a.Decide(acc).Grant
	secret, id, _, err = a.Key(w.t.Context(), acc, g, g.Scopes)
	return secret, id, err
}

func (w *world) mustKey(a *mapping.Accounts, acc mapping.Account) (secret, id string) {
	w.t.Helper()
	secret, id, err := w.key(a, acc)
	if err != nil {
		w.t.Fatalf("key: %v", err)
	}
	return secret, id
}

// account reads an account from the store.
func (w *world) account(id string) (acc mapping.Account) {
	w.t.Helper()
	w.view(func(tx mapping.Tx) (err error) { acc, err = tx.Account(id); return err })
	return acc
}

// keys reads the keys of an account in one state.
func (w *world) keys(state mapping.KeyState) (keys []mapping.Key) {
	w.t.Helper()
	w.view(func(tx mapping.Tx) (err error) {
		keys, err = tx.KeysAfter(state, mapping.Place{}, 1000)
		return err
	})
	return keys
}

// proven returns an account, and whether it has a refresh grant.
func (w *world) proven(acc mapping.Account) (now mapping.Account, renewsInBackground bool, err error) {
	err = w.store.View(w.t.Context(), func(tx mapping.Tx) (err error) {
		if now, err = tx.Account(acc.ID); err != nil {
			return err
		}
		_, err = tx.RefreshGrant(acc.ID)
		renewsInBackground = err == nil
		if errors.Is(err, mapping.ErrNotFound) {
			return nil
		}
		return err
	})
	return now, renewsInBackground, err
}

// keep signs somebody in again, with a refresh token.
func keep(ctx context.Context, a *mapping.Accounts, acc mapping.Account, refreshToken string) error {
	_, _, err := a.SignIn(ctx, acc.Identity, refreshToken)
	return err
}

func (w *world) view(fn func(mapping.Tx) error) {
	w.t.Helper()
	if err := w.store.View(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// ourTokens are the tokens at Vexa that the instance prod has named.
func (w *world) ourTokens() (ours []vexatest.Token) {
	for _, t := range w.vexa.Tokens() {
		if strings.HasPrefix(t.Name, "vsso:prod:") {
			ours = append(ours, t)
		}
	}
	return ours
}

// code is what an error says to a program.
func code(err error) string {
	if e, ok := asError(err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// soon makes all waiting short, but that between two renewals of a lease: they would be most of what happens.
func soon(d time.Duration) <-chan time.Time {
	if d == time.Second {
		return time.After(d)
	}
	return time.After(time.Millisecond)
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
