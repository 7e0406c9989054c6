package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/config"
)

func newCheck() *cobra.Command {
	var from settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration, without serving",
		Long: `Validate the configuration, the files that it names and the rules, without serving
and without asking anybody.

Everything that is wrong is printed, one line each: where it is, which key, what is wrong, what to
write instead. A warning is about what would be served and may not be as safe, or as useful, as it
is meant. The exit code is 0 when it would be served and 2 when not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := from.load(cmd)
			if err != nil {
				return err
			}
			if cfg.Ring.Exposed() {
				fmt.Fprintf(cmd.ErrOrStderr(),
					"warning: everybody on this machine may read or change %s: chmod 600 it\n",
					cfg.KeyringFile)
			}
			remind(cmd.ErrOrStderr(), cfg)
			return summarize(cmd.OutOrStdout(), cfg)
		},
	}
	from.flag(cmd)
	return cmd
}

// remind prints what the configuration needs elsewhere and cannot show.
func remind(w io.Writer, cfg *config.Config) {
	for i, provider := range cfg.Providers {
		for _, r := range provider.Reminders() {
			fmt.Fprintf(w, "warning: providers[%d].%s: %s: %s\n", i, r.Key, r.Message, r.Remedy)
		}
	}
}

// summarize prints in a few lines what would be served.
func summarize(w io.Writer, cfg *config.Config) error {
	var providers []string
	for _, p := range cfg.Providers {
		providers = append(providers, fmt.Sprintf("%s (%s)", p.Name, p.Type))
	}
	_, err := fmt.Fprintf(w, "The configuration is good.\ninstance:  %s\naddress:   %s, listening on "+
		"%s\nvexa:      %s\nproviders: %s\nrules:     %d\n",
		cfg.Instance, cfg.PublicURL, cfg.Listen, cfg.Vexa.GatewayURL,
		strings.Join(providers, ", "), len(cfg.Rules))
	return err
}
