package main

import (
	"errors"
	"fmt"
	"iter"
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
		accounts, changed := 0, 0
		changes := flat(func(do func([]mapping.GrantChange) error) error {
			return a.Accounts.EachAccount(cmd.Context(), func(page []mapping.Account) error {
				found := mapping.CompareRules(page, a.Rules, rules)
				accounts, changed = accounts+len(page), changed+len(found)
				return do(found)
			})
		})
		if d.asJSON {
			err = streamJSON(cmd.OutOrStdout(), changes,
				func(c mapping.GrantChange) mapping.GrantChange { return c })
		} else if err = printChanges(cmd, changes); err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d of %s would change\n", changed,
				counted(accounts, "account", "accounts"))
		}
		if err == nil && exitCode && changed > 0 {
			return errDifferent
		}
		return err
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&against, "against", "", "the `file` with the other rules")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when anything differs")
	return cmd
}

func printChanges(cmd *cobra.Command, changes iter.Seq2[mapping.GrantChange, error]) error {
	var t *table
	for c, err := range changes {
		if err != nil {
			return err
		}
		if t == nil {
			t = newTable(cmd.OutOrStdout(), "CHANGE", "WHO", "ACCOUNT", "WHAT")
		}
		who := c.Email
		if who == "" {
			who = c.Subject
		}
		t.row(c.Change, who, c.Account, strings.Join(c.What, "; "))
	}
	if t == nil {
		return nil
	}
	return t.print()
}
