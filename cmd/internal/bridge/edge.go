package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/store"
	"vexa-sso/proxy"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/tokens"
)

// newEdge wires what works on the store.
func (b *bridge) newEdge(s *store.Store) (*edge, error) {
	gateway, err := url.Parse(b.cfg.Vexa.GatewayURL)
	if err != nil {
		return nil, fmt.Errorf("vexa.gateway_url: %w", err)
	}
	accounts := mapping.NewAccounts(
		mapping.Config{
			Instance: b.cfg.Instance, AdoptExisting: b.cfg.AdoptExisting, KeyGrace: b.cfg.KeyGrace,
			Renew: b.cfg.Session.Renew, Idle: b.cfg.Session.Idle,
			MaxTokenLifetime: b.cfg.Tokens.MaxLifetime, MaxOffline: b.cfg.Tokens.MaxOffline,
			Suspend: b.cfg.Suspend, KeepEvents: b.cfg.Audit.Retention,
		},
		mapping.Deps{
			Store: s, Vexa: b.client, Ring: b.cfg.Ring, Rules: b.rules, Directories: b.directories(),
			Log: b.log, Minted: b.metrics.minted, Revoked: b.metrics.revoked,
		},
	)
	others := newReplicas(s, b.replica, b.log)
	p, err := proxy.New(b.cfg.Config, proxy.Deps{
		Gateway: gateway, Routes: b.table.routes, Providers: b.providers, Accounts: accounts,
		Rules: b.rules, Owners: b.client, Sessions: s, Store: s, Ring: b.cfg.Ring, Ready: []proxy.Check{
			{Name: "vexa_admin", Ping: b.admin.ping},
			{Name: "revocations", Ping: revocationsConfirmed(accounts, time.Now)},
			{Name: "replicas", Ping: others.agree},
			{Name: "background", Ping: accounts.CheckBehind},
		},
		Running:   others.shown,
		Transport: b.transport, Metrics: b.registry, Log: b.log,
	})
	if err != nil {
		return nil, err
	}
	tools, err := authserver.New(
		authserver.Config{PublicURL: b.cfg.PublicURL, Lifetime: b.cfg.Tokens.MaxLifetime},
		authserver.Deps{
			Accounts: accounts, Ender: p, Clients: authserver.BuiltinClients(), Store: s, Ring: b.cfg.Ring,
			Titles: b.titles(), Log: b.log,
		},
	)
	if err != nil {
		return nil, err
	}
	tools.Register(p)
	tokens.New(tokens.Deps{
		Accounts: accounts, Ender: p, Titles: b.titles(), MaxLifetime: b.cfg.Tokens.MaxLifetime,
	}).Register(p)
	return &edge{store: s, accounts: accounts, proxy: p, replicas: others}, nil
}

// replica is what this one runs now.
func (b *bridge) replica() Replica {
	return Replica{
		Name: b.name, Build: b.options.Build, Rules: fmt.Sprintf("%016x", b.rules.Current().Generation()),
		Keys: b.cfg.Ring.IDs(),
	}
}

// titles returns what people call the providers, by name.
func (b *bridge) titles() map[string]string {
	titles := map[string]string{}
	for _, p := range b.providers {
		titles[p.Name()] = p.Title()
	}
	return titles
}

// directories returns the providers as mapping.Directory, by name.
func (b *bridge) directories() map[string]mapping.Directory {
	named := map[string]mapping.Directory{}
	for _, p := range b.providers {
		named[p.Name()] = p
	}
	return named
}

// confirmationDue is the age from which a revocation that Vexa has not confirmed makes readyz "degraded":
// when one call has run out of time and was made again.
const confirmationDue = 10 * time.Second

// outbox tells since when what Vexa has to confirm waits. *mapping.Accounts implements it.
type outbox interface {
	OldestRevocation(ctx context.Context) (time.Time, error)
}

// revocationsConfirmed returns the check of readyz that Vexa confirms revocations in time.
func revocationsConfirmed(accounts outbox, now func() time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		oldest, err := accounts.OldestRevocation(ctx)
		switch {
		case err != nil:
			return err
		case !oldest.IsZero() && now().Sub(oldest) > confirmationDue:
			return fmt.Errorf("a revocation waits for %s for Vexa to confirm it",
				now().Sub(oldest).Round(time.Second))
		}
		return nil
	}
}

// ringKey is the key in the store's metadata of the id of the key ring that sealed the store.
const ringKey = "keyring"

// checkRing refuses a store that another key ring sealed: nothing in it could be opened, and our tokens at
// Vexa could not be told from others'.
func checkRing(ctx context.Context, s *store.Store, ring *keyring.Ring) error {
	noted, err := s.Meta(ctx, ringKey)
	switch {
	case errors.Is(err, mapping.ErrNotFound), err == nil && noted == "":
	case err != nil:
		return fmt.Errorf("read which key ring sealed the store: %w", err)
	case !slices.Contains(ring.IDs(), noted):
		return fmt.Errorf("the store was sealed by key ring %s, and keyring_file holds %s: name the file with "+
			"that key in keyring_file, or get it from where you keep your secrets; nothing in the store was "+
			"changed", noted, strings.Join(ring.IDs(), ", "))
	case noted == ring.ID():
		return nil
	}
	if err := s.SetMeta(ctx, ringKey, ring.ID()); err != nil {
		return fmt.Errorf("note which key ring seals the store: %w", err)
	}
	return nil
}
