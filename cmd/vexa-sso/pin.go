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
		acc, subject, err := subjectOf(cmd, a, args[0])
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
		if acc.ID == "" {
			return nil
		}
		return finish(cmd, a, acc)
	})
	d.flags(cmd, false)
	return cmd
}

// subjectOf returns the canonical subject that the admin named, directly or by an account, and the account if
// there is one.
func subjectOf(
	cmd *cobra.Command, a *bridge.Admin, who string,
) (acc mapping.Account, subject string, err error) {
	acc, err = a.Accounts.Find(cmd.Context(), who)
	if errors.Is(err, mapping.ErrNotFound) {
		return mapping.Account{}, who, nil // of somebody who has not signed in yet; Pin and Unpin check it
	}
	return acc, acc.Subject, err
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
		acc, subject, err := subjectOf(cmd, a, args[0])
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
		if acc.ID == "" {
			return nil
		}
		return finish(cmd, a, acc)
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
		pins := flat(func(do func([]mapping.Pin) error) error {
			return a.Accounts.EachPin(cmd.Context(), do)
		})
		view := func(p mapping.Pin) pinView {
			return pinView{p.Subject, p.VexaEmail, p.VexaUserID, p.Actor, moment(p.CreatedAt)}
		}
		return printList(cmd.OutOrStdout(), d.asJSON, pins, view,
			[]string{"SUBJECT", "VEXA USER", "BY", "SINCE"}, func(v pinView) []string {
				user := fmt.Sprintf("%d %s", v.VexaUserID, v.VexaEmail)
				return []string{v.Subject, user, v.Actor, v.CreatedAt}
			})
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
keep their accounts, Vexa users and sessions when an Okta org or an issuer changes its address. It looks
at all of them first, and moves nobody where two would collide; then it moves them, a few at a time.
When it is interrupted, the same command goes on where it stopped.

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
		moved, would, failed := 0, 0, error(nil)
		moves := func(yield func(mapping.Rekeyed, error) bool) {
			moved, failed = a.Accounts.Rekey(cmd.Context(), mapping.Rekeying{
				From: from, To: to, DryRun: dryRun, SkipTaken: skipTaken,
			}, actor(), func(m mapping.Rekeyed) error {
				if !m.Taken {
					would++
				}
				if !yield(m, nil) {
					return errors.New("the list could not be printed")
				}
				return nil
			})
		}
		err := printList(cmd.OutOrStdout(), d.asJSON, moves,
			func(m mapping.Rekeyed) mapping.Rekeyed { return m },
			[]string{"ACCOUNT", "FROM", "TO", ""}, func(m mapping.Rekeyed) []string {
				note := map[bool]string{true: "is taken: not moved"}[m.Taken]
				return []string{m.Account, m.From, m.To, note}
			})
		if failed != nil {
			if moved > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s moved already; run this again, which goes on from "+
					"there\n", counted(moved, "subject was", "subjects were"))
			}
			return failed
		}
		if err != nil || d.asJSON {
			return err
		}
		if dryRun {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "would move %s\n", counted(would, "subject", "subjects"))
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "moved %s\n", counted(moved, "subject", "subjects"))
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
