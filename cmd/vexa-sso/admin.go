package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
)

// adminCommand is what all admin's commands share: the configuration, and the store that it names.
type adminCommand struct {
	settings
	asJSON bool
}

// flags adds --config and, for a command that prints a list, --json.
func (d *adminCommand) flags(cmd *cobra.Command, lists bool) {
	d.flag(cmd)
	if lists {
		cmd.Flags().BoolVar(&d.asJSON, "json", false, "print JSON")
	}
}

// work is the part of an admin's command that differs.
type work func(cmd *cobra.Command, args []string, a *bridge.Admin) error

// with returns the RunE of a command: it opens the store, calls do, and closes the store.
func (d *adminCommand) with(do work) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := d.load(cmd)
		if err != nil {
			return err
		}
		a, err := bridge.OpenAdmin(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		return errors.Join(advise(do(cmd, args, a)), a.Close())
	}
}

// advise adds to an error of mapping what the admin can do about it.
func advise(err error) error {
	if e, ok := errors.AsType[*mapping.Error](err); ok {
		text := e.Error()
		if e.Remedy != "" {
			text += ": " + e.Remedy
		}
		return errors.New(text)
	}
	return err
}

// actor returns the name of the admin for the audit: who typed the command, also behind sudo.
func actor() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return "cli:" + name
	}
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

// find returns the account with that id, subject or email.
func find(ctx context.Context, a *bridge.Admin, who string) (mapping.Account, error) {
	acc, err := a.Accounts.Find(ctx, who)
	if errors.Is(err, mapping.ErrNotFound) {
		return acc,
			fmt.Errorf("no account is %q, by id, subject or email: `vexa-sso accounts list` shows all", who)
	}
	return acc, err
}
