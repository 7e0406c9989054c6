package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping"
)

// errDifferent makes the exit code 1 with --exit-code. It is not printed.
var errDifferent = errors.New("the rules differ for known accounts")

func newRulesDiff() *cobra.Command {
	var d adminCommand
	var against string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "diff --against FILE",
		Short: "Say who would gain, lose or change what under other rules",
		Long: `Say what other rules would mean for every account that there is, before they go live:
who gains, who loses, who changes what. Each is judged by the identity that it proved last. Rules
under shadow change nothing.

FILE is a list of rules, as a rules_file has it, or a whole configuration. What is wrong with it is
printed with its line, and the exit code is 2. With --exit-code it is 1 when anything differs, for
scripts.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		if against == "" {
			return usageError{errors.New("name the file with the other rules: --against new.yaml")}
		}
		rules, err := config.LoadRules(against, os.Environ(), a.Config.Providers)
		if err != nil {
			return err
		}
		accounts, err := a.Accounts.List(cmd.Context())
		if err != nil {
			return err
		}
		changes := mapping.CompareRules(accounts, a.Rules, rules)
		if d.asJSON {
			err = printJSON(cmd.OutOrStdout(), changes)
		} else {
			err = printChanges(cmd, len(accounts), changes)
		}
		if err == nil && exitCode && len(changes) > 0 {
			return errDifferent
		}
		return err
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&against, "against", "", "the `file` with the other rules")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when anything differs")
	return cmd
}

func printChanges(cmd *cobra.Command, accounts int, changes []mapping.GrantChange) error {
	if len(changes) > 0 {
		t := newTable(cmd.OutOrStdout(), "CHANGE", "WHO", "ACCOUNT", "WHAT")
		for _, c := range changes {
			who := c.Email
			if who == "" {
				who = c.Subject
			}
			t.row(c.Change, who, c.Account, strings.Join(c.What, "; "))
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %s would change\n",
		len(changes), counted(accounts, "account", "accounts"))
	return err
}
