package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
)

// run serves with a configuration until ctx ends; SIGHUP asks to read it again.
func run(
	ctx context.Context, cfg *config.Config, reload func() (*config.Config, error), log io.Writer,
) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	return bridge.Run(ctx, cfg, bridge.Options{
		Reload: reload, Reloads: hangups, Build: thisBuild().Version, Log: log,
	})
}
