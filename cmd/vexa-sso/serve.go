package main

import (
	"github.com/spf13/cobra"

	"vexa-sso/config"
)

func newServe() *cobra.Command {
	var from settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the proxy",
		Long: `Serve the proxy until SIGINT or SIGTERM, then let requests under way end; a second
signal ends at once.

The files that the configuration names are watched, and read again on SIGHUP. A change of rules,
client secrets, certificate or key ring takes effect without a restart; for anything else the log
says that a restart is needed. A change that is not valid is logged, and everything stays as it was.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := from.load(cmd)
			if err != nil {
				return err
			}
			again := func() (*config.Config, error) { return from.load(cmd) }
			return run(cmd.Context(), cfg, again, cmd.ErrOrStderr())
		},
	}
	from.flag(cmd)
	return cmd
}
