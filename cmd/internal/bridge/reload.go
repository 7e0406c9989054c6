package bridge

import (
	"context"
	"reflect"
	"slices"

	"vexa-sso/config"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// watchFiles reloads when a file that the configuration names changes, or on a signal.
func (b *bridge) watchFiles(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	watching, stop := context.WithCancel(ctx)
	watchers := newTasks(watching, func(error) {})
	defer watchers.stop()
	defer stop()
	for _, file := range b.watchedFiles() {
		watchers.start(func(ctx context.Context) error {
			if err := rule.WatchFile(ctx, file, notify); err != nil {
				b.log.Warn("file cannot be watched; send SIGHUP after changing it",
					"file", file, "error", err)
			}
			return nil
		})
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-b.options.Reloads:
		}
		b.reload(ctx)
	}
}

func (b *bridge) watchedFiles() []string {
	files := slices.Clone(b.cfg.Files)
	if b.cert != nil {
		files = append(files, b.cert.files.CertFile, b.cert.files.KeyFile)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// reload applies what can change without a restart: rules, certificate, key ring, and client secrets. What is
// invalid changes nothing.
func (b *bridge) reload(ctx context.Context) {
	if b.cert != nil {
		if err := b.cert.reload(); err != nil {
			b.log.Error("certificate not reloaded; the old one stays in use", "error", err)
		}
	}
	if b.options.Reload == nil {
		return
	}
	next, err := b.options.Reload()
	if err != nil {
		b.metrics.reloadFailed.Inc()
		b.log.Error("configuration not reloaded; the old one stays in use", "error", err)
		return
	}
	if next.RuleSet.Generation() != b.rules.Current().Generation() {
		b.rules.Replace(next.RuleSet)
		b.metrics.rulesGeneration.Inc()
		b.log.Info("rules reloaded and now in use", "rules", len(next.Rules))
		b.review(ctx)
	}
	b.setSecrets(next)
	b.setRing(ctx, next)
	if e := b.edge.Load(); e != nil {
		e.replicas.changed()
	}
	if restartNeeded(b.cfg, next) {
		b.log.Warn("configuration changed in more than rules, client secrets and the key ring; " +
			"restart to use the rest")
	}
}

// setSecrets applies new client secrets. Where more of a provider changed, its secrets may be another
// client's, and wait for the restart with the rest.
func (b *bridge) setSecrets(next *config.Config) {
	for i, was := range b.cfg.Providers {
		same := slices.IndexFunc(next.Providers, func(is oidc.Config) bool {
			return reflect.DeepEqual(withoutSecrets(is), withoutSecrets(was))
		})
		if same >= 0 && b.providers[i].SetSecrets(next.Providers[same].Secrets()) {
			b.log.Info("client secrets reloaded and now in use", "provider", was.Name)
		}
	}
}

// setRing has everything sealed and opened with the key ring that was read again, if it is another, and holds
// the store to it.
func (b *bridge) setRing(ctx context.Context, next *config.Config) {
	if slices.Equal(next.Ring.IDs(), b.cfg.Ring.IDs()) {
		return
	}
	if err := b.cfg.Ring.Replace(next.Ring); err != nil {
		b.log.Error("key ring not reloaded; the old one stays in use", "error", err)
		return
	}
	b.log.Info("key ring reloaded and now in use", "key", b.cfg.Ring.ID())
	if e := b.edge.Load(); e != nil {
		if err := checkRing(ctx, e.store, b.cfg.Ring); err != nil {
			b.log.Warn("which key ring seals the store could not be noted; the next start does", "error", err)
		}
	}
}

// withoutSecrets returns a provider's configuration without its client secrets, but for whether there are
// any.
func withoutSecrets(c oidc.Config) oidc.Config {
	if len(c.Secrets()) > 0 {
		c.ClientSecret, c.ClientSecrets = "", []string{"any"}
	}
	return c
}

// review revokes the keys that are wider than the new rules grant. Nobody can use them any more, but they are
// alive at Vexa.
func (b *bridge) review(ctx context.Context) {
	e := b.edge.Load()
	if e == nil {
		return
	}
	revoked, err := e.accounts.Review(ctx)
	switch {
	case err != nil:
		b.log.Warn("keys wider than the new rules not deleted yet; the next reconcile finds them",
			"error", err)
	case revoked > 0:
		b.log.Info("deleting keys wider than the new rules", "keys", revoked)
	}
}

// restartNeeded reports whether two configurations differ in what is read only at start.
func restartNeeded(was, is *config.Config) bool {
	settled := func(c config.Config) config.Config {
		c.Rules, c.RuleSet, c.RulesFile, c.Files, c.Ring = nil, nil, "", nil, nil
		c.Providers = slices.Clone(c.Providers)
		for i := range c.Providers {
			c.Providers[i] = withoutSecrets(c.Providers[i])
		}
		return c
	}
	return !reflect.DeepEqual(settled(*was), settled(*is))
}
