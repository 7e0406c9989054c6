package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"vexa-sso/config"
	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/vexa"
)

// Admin is what an admin's command works with, without serving: the store, the client of Vexa and the
// accounts. It may be open beside any number of running servers, which learn of what is done through the
// store, within a second.
type Admin struct {
	Config   *config.Config
	Store    *store.Store
	Vexa     *vexa.Client
	Accounts *mapping.Accounts
	Rules    *rule.Rules // those of the configuration
}

// OpenAdmin opens the store of a configuration. It makes no SQLite file: where there is none, a wrong path is
// more likely than a store that nobody has used yet.
func OpenAdmin(ctx context.Context, cfg *config.Config) (*Admin, error) {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no store at %s: run `vexa-sso serve` once, which makes it, or "+
				"give the configuration that the server runs with", path)
		}
	}
	client, err := vexa.New(cfg.Vexa)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler) // what matters is in the audit and in what the command prints
	s, err := store.Open(ctx, cfg.Store, store.Env{Log: quiet})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := checkRing(ctx, s, cfg.Ring); err != nil {
		s.Close()
		return nil, err
	}
	live := new(rule.Live)
	live.Replace(cfg.RuleSet)
	accounts := mapping.NewAccounts(
		mapping.Config{
			Instance: cfg.Instance, AdoptExisting: cfg.AdoptExisting, KeyGrace: cfg.KeyGrace,
			MaxTokenLifetime: cfg.Tokens.MaxLifetime, Suspend: cfg.Suspend,
		},
		mapping.Deps{Store: s, Vexa: client, Ring: cfg.Ring, Rules: live, Log: quiet},
	)
	return &Admin{Config: cfg, Store: s, Vexa: client, Accounts: accounts, Rules: cfg.RuleSet}, nil
}

// Close closes the store.
func (a *Admin) Close() error { return a.Store.Close() }
