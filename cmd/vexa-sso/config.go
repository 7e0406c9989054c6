package main

import (
	"github.com/spf13/cobra"
)

func newConfigPrint() *cobra.Command {
	var from settings
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the configuration in effect, secrets redacted",
		Long: `Print the configuration in effect as one document: the file, the environment
variables over it, the references resolved, the rules of a rules_file, the defaults. Secrets are
redacted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := from.load(cmd)
			if err != nil {
				return err
			}
			text, err := cfg.YAML()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	from.flag(cmd)
	return cmd
}
