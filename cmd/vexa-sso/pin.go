package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
)

func newAccountsPin() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "pin SUBJECT VEXA_USER",
		Short: "Give an identity a certain Vexa user",
		Long: `Give an identity a certain Vexa user, whatever rules and emails say. SUBJECT is the
identity's canonical subject, or an account; it need not have signed in yet. VEXA_USER is the email
or the id of a user that Vexa has.

  vexa-sso accounts pin okta:https://acme.okta.com/00u1a2b3c4 team@acme.example
  vexa-sso accounts pin entra:public/7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3/0d9f… 42

From then on the identity reads and does what that user may; its former user, if it had one, stays
as it is, without it. Whether it may do anything at all, the rules say as before. Whoever else has
the user keeps it and is named.`,
		Args: arguments(2, 2),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		subject, err := subjectOf(cmd, a, args[0])
		if err != nil {
			return err
		}
		pin, others, err := a.Accounts.Pin(cmd.Context(), subject, args[1], actor())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "pinned: %s has the Vexa user %d %s\n",
			plain(subject), pin.VexaUserID, plain(pin.VexaEmail))
		if len(others) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: that user is shared with %s\n", strings.Join(others, ", "))
		}
		return finish(cmd, a)
	})
	d.flags(cmd, false)
	return cmd
}

// subjectOf returns the canonical subject that the admin named, directly or by an account.
func subjectOf(cmd *cobra.Command, a *bridge.Admin, who string) (string, error) {
	acc, err := a.Accounts.Find(cmd.Context(), who)
	if errors.Is(err, mapping.ErrNotFound) {
		return who, nil // of somebody who has not signed in yet; Pin and Unpin check it
	}
	return acc.Subject, err
}

func newAccountsUnpin() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "unpin SUBJECT",
		Short: "Take a pin back",
		Long: `Take back what ` + "`vexa-sso accounts pin`" + ` said. The identity loses that Vexa
user and is looked at afresh, as at a first sign-in: rules name the user, and one that exists
already is adopted for a proven email in a trusted domain, or waits for
` + "`vexa-sso accounts approve`" + `. ` + "`vexa-sso accounts pins`" + ` lists all pins.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		subject, err := subjectOf(cmd, a, args[0])
		if err != nil {
			return err
		}
		err = a.Accounts.Unpin(cmd.Context(), subject, actor())
		if errors.Is(err, mapping.ErrNotFound) {
			return fmt.Errorf("%q is not pinned: `vexa-sso accounts pins` lists what is", args[0])
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "unpinned: %s\n", plain(subject))
		return finish(cmd, a)
	})
	d.flags(cmd, false)
	return cmd
}

// pinView is a pin as JSON and tables show it.
type pinView struct {
	Subject    string `json:"subject"`
	VexaEmail  string `json:"vexa_email"`
	VexaUserID int64  `json:"vexa_user_id"`
	Actor      string `json:"actor"`
	CreatedAt  string `json:"created_at"`
}

func newAccountsPins() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "pins",
		Short: "List which identities are pinned to which Vexa users",
		Long: `List which identities are pinned to which Vexa users, those that have not signed in
yet among them.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		pins, err := a.Accounts.Pins(cmd.Context())
		if err != nil {
			return err
		}
		views := each(pins, func(p mapping.Pin) pinView {
			return pinView{p.Subject, p.VexaEmail, p.VexaUserID, p.Actor, moment(p.CreatedAt)}
		})
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), views)
		}
		t := newTable(cmd.OutOrStdout(), "SUBJECT", "VEXA USER", "BY", "SINCE")
		for _, v := range views {
			t.row(v.Subject, fmt.Sprintf("%d %s", v.VexaUserID, v.VexaEmail), v.Actor, v.CreatedAt)
		}
		return t.print()
	})
	d.flags(cmd, true)
	return cmd
}

func newAccountsRekey() *cobra.Command {
	var d adminCommand
	var from, to string
	var dryRun, skipTaken bool
	cmd := &cobra.Command{
		Use:   "rekey --from PREFIX --to PREFIX",
		Short: "Keep accounts when an org changes its domain",
		Long: `Move the canonical subjects that begin with one prefix to another, so that people
keep their accounts, Vexa users and sessions when an Okta org or an issuer changes its address. All
of them move in one transaction, or none does.

  vexa-sso accounts rekey --dry-run \
    --from okta:https://old.okta.com/ --to okta:https://new.okta.com/

Do it before people sign in at the new address: who does gets a new account, and then the two
collide, and nothing is moved. --skip-taken moves all others.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		if from == "" || to == "" {
			return usageError{errors.New("name both prefixes, with --from and --to")}
		}
		moves, err := a.Accounts.Rekey(cmd.Context(), from, to, dryRun, skipTaken, actor())
		if err != nil {
			return err
		}
		if moves == nil {
			moves = []mapping.Rekeyed{}
		}
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), moves)
		}
		t := newTable(cmd.OutOrStdout(), "ACCOUNT", "FROM", "TO", "")
		moved := 0
		for _, m := range moves {
			note := map[bool]string{true: "is taken: not moved"}[m.Taken]
			t.row(m.Account, m.From, m.To, note)
			if !m.Taken {
				moved++
			}
		}
		if err := t.print(); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n",
			map[bool]string{true: "would move", false: "moved"}[dryRun],
			counted(moved, "subject", "subjects"))
		return err
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&from, "from", "", "the `prefix` that subjects have now")
	cmd.Flags().StringVar(&to, "to", "", "the `prefix` that they get")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be moved")
	cmd.Flags().BoolVar(&skipTaken, "skip-taken", false,
		"leave those whose new subject is taken where they are")
	return cmd
}
