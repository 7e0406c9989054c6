package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
)

func newReconcile() *cobra.Command {
	var d adminCommand
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare the keys here with those at Vexa, and put right what differs",
		Long: `Compare the keys here with the tokens at Vexa that bear our name, and put right what
differs: tokens that no key accounts for are deleted, keys that Vexa has lost are forgotten, keys
that expired, were replaced or have too much are revoked. Tokens of others are left alone. Running
servers do the same every quarter of an hour.

With --dry-run it only says what it would do.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		r, err := a.Accounts.Reconcile(cmd.Context(), dryRun)
		if err != nil {
			return err
		}
		if r.Skipped {
			return errors.New("a running server is reconciling right now, so nothing was compared: run " +
				"this again in a minute")
		}
		if d.asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = printReport(cmd.OutOrStdout(), r)
		}
		if err == nil && len(r.Problems) > 0 {
			err = fmt.Errorf("%s could not be compared", counted(len(r.Problems), "item", "items"))
		}
		return err
	})
	d.flags(cmd, true)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	return cmd
}

func printReport(w io.Writer, r mapping.Report) error {
	t := newTable(w, "WHAT", "WHICH", "DONE")
	done := func(what string) string {
		if r.DryRun {
			return "would be " + what
		}
		return what
	}
	for _, token := range r.Unknown {
		t.row("token at Vexa without a key here", fmt.Sprintf("%d %s", token.ID, token.Name), done("deleted"))
	}
	for _, id := range r.Missing {
		t.row("key that Vexa does not have", id, done("forgotten"))
	}
	for _, id := range r.Intents {
		t.row("mint that never ended", id, done("cleared up"))
	}
	for _, id := range r.Revoked {
		t.row("key that is over or too wide", id, done("revoked"))
	}
	for _, problem := range r.Problems {
		t.row("could not be compared", problem, "")
	}
	t.row("accounts compared", strconv.Itoa(r.Accounts), "")
	t.row("deletions that Vexa has not confirmed", strconv.Itoa(r.Waiting), "")
	return t.print()
}
