package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"vexa-sso/config"
)

// settings is the --config flag of a command that needs the configuration.
type settings struct{ path string }

func (s *settings) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.path, "config", "vexa-sso.yaml",
		"the configuration `file`; the environment variable\nVEXA_SSO_CONFIG may hold the document instead")
}

// load reads and validates the configuration. The error is a config.Errors.
func (s *settings) load(cmd *cobra.Command) (*config.Config, error) {
	if cmd.Flags().Changed("config") && os.Getenv("VEXA_SSO_CONFIG") != "" {
		return nil, usageError{
			errors.New("both --config and VEXA_SSO_CONFIG are given: leave one of them out"),
		}
	}
	return config.Load(s.path, os.Environ())
}
