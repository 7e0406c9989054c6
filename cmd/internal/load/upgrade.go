package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// upgradeCommand fills a store by an older build and has a newer one open, migrate and serve it, beside the
// older one where the store is shared.
func upgradeCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load upgrade", flag.ContinueOnError)
	before := flags.String("before", "", "`PATH` of the older build")
	program := flags.String("program", "", "`PATH` of the newer build")
	accounts := flags.Int("accounts", 100_000, "how many people there are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return errors.Join(
		upgradeSQLite(ctx, *before, *program, *accounts), upgradePostgres(ctx, *before, *program, *accounts))
}

// openLimit is how long a newer build may take to migrate and open a store.
const openLimit = 2 * time.Minute

func upgradeSQLite(ctx context.Context, before, program string, accounts int) error {
	w, err := newWorld(1, accounts, 0)
	if err != nil {
		return err
	}
	defer w.close()
	store := "sqlite:" + filepath.Join(w.dir, "vexa-sso.db")
	old, err := w.start(ctx, before, store)
	if err != nil {
		return err
	}
	old.stop()
	if err := fill(ctx, store, w.population, 0, accounts); err != nil {
		return err
	}
	began := time.Now()
	opening, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	r, err := w.start(opening, program, store)
	if err != nil {
		return fmt.Errorf("upgrade of SQLite: %w", err)
	}
	defer r.stop()
	fmt.Printf("upgrade of SQLite: %d people, serves after %.1f s\n", accounts, time.Since(began).Seconds())
	return w.everyWay(ctx, r, r, 0)
}

func upgradePostgres(ctx context.Context, before, program string, accounts int) (err error) {
	server, err := newPostgres()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.remove()) }()
	if err := server.create(ctx); err != nil {
		return err
	}
	s, err := newSite(ctx, server, before, "upgraded", accounts, 1)
	if err != nil {
		return err
	}
	defer s.close()
	opening, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	began := time.Now()
	r, err := s.start(opening, program, server.url("upgraded"))
	if err != nil {
		return fmt.Errorf("upgrade of PostgreSQL: %w", err)
	}
	defer r.stop()
	fmt.Printf("upgrade of PostgreSQL: %d people, serves after %.1f s\n", accounts,
		time.Since(began).Seconds())
	for i, pair := range [][2]*replica{{s.replicas[0], r}, {r, s.replicas[0]}} {
		if err := s.everyWay(ctx, pair[0], pair[1], 100*i); err != nil {
			return fmt.Errorf("beside the build before: %w", err)
		}
	}
	s.replicas[0].stop()
	again, err := startReplica(opening, before, s.replicas[0].config)
	if err != nil {
		return fmt.Errorf("the build before does not come back: %w", err)
	}
	s.replicas[0] = again
	return s.everyWay(ctx, again, r, 300)
}

// everyWay has people from a number on use one replica and then the other, and ends their access at the
// first: the second ends it within a second.
func (w *world) everyWay(ctx context.Context, here, there *replica, from int) error {
	near, far := here.client(), there.client()
	defer near.CloseIdleConnections()
	defer far.CloseIdleConnections()
	browser, err := w.cookie(from)
	if err != nil {
		return err
	}
	again, err := signIn(ctx, near, from+10)
	if err != nil {
		return err
	}
	newcomer, err := signIn(ctx, near, w.oktas(w.vexa.known+4*from))
	if err != nil {
		return err
	}
	for _, c := range []caller{browser, w.token(from), again, newcomer} {
		for _, to := range []*http.Client{near, far} {
			if err := good(ctx, to, c); err != nil {
				return fmt.Errorf("person %d: %w", c.number, err)
			}
		}
	}
	for _, c := range []caller{browser, again, newcomer} {
		if err := signOut(ctx, near, c); err != nil {
			return err
		}
	}
	rest(ctx, time.Second)
	for _, c := range []caller{browser, again, newcomer} {
		if status, err := use(ctx, far, c); err != nil || status == http.StatusOK {
			return fmt.Errorf("person %d is signed out, and answered %d %w", c.number, status, err)
		}
	}
	return good(ctx, far, w.token(from))
}
