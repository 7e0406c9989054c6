package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
	"vexa-sso/proxy/caller"
)

// accountView is an account as JSON and tables show it.
type accountView struct {
	ID         string         `json:"id"`
	Status     mapping.Status `json:"status"`
	Reason     string         `json:"reason,omitempty"`
	Provider   string         `json:"provider"`
	Subject    string         `json:"subject"`
	Kind       string         `json:"kind"`
	Email      string         `json:"email,omitempty"`
	Unproven   string         `json:"unproven_email,omitempty"`
	Name       string         `json:"name,omitempty"`
	VexaEmail  string         `json:"vexa_email,omitempty"`
	VexaUserID int64          `json:"vexa_user_id,omitempty"`
	Pinned     bool           `json:"pinned"`
	CreatedAt  string         `json:"created_at"`
	ProvenAt   string         `json:"proven_at,omitempty"`
	LastUsed   string         `json:"last_used,omitempty"` // where somebody asked who is unused
}

func viewAccount(acc mapping.Account) accountView {
	return accountView{
		ID: acc.ID, Status: acc.Status, Reason: acc.Reason, Provider: acc.Provider,
		Subject: acc.Subject, Kind: string(acc.Kind),
		Email: acc.Identity.Email, Unproven: acc.Identity.UnprovenEmail, Name: acc.Identity.Name,
		VexaEmail: acc.VexaEmail, VexaUserID: acc.VexaUserID, Pinned: acc.Pinned,
		CreatedAt: moment(acc.CreatedAt), ProvenAt: moment(acc.ProvenAt),
	}
}

func viewListed(a store.ListedAccount) accountView {
	v := viewAccount(a.Account)
	v.LastUsed = moment(a.LastUsed)
	return v
}

func (v accountView) who() string {
	switch {
	case v.Email != "":
		return v.Email
	case v.Unproven != "":
		return v.Unproven + " (unproven)"
	}
	return v.Subject
}

func (v accountView) vexaUser() string {
	if v.VexaUserID == 0 {
		return ""
	}
	user := fmt.Sprintf("%d %s", v.VexaUserID, v.VexaEmail)
	if v.Pinned {
		user += " (pinned)"
	}
	return user
}

func newAccountsList() *cobra.Command {
	var d adminCommand
	var f store.AccountFilter
	var status string
	var unused time.Duration
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List accounts",
		Long: `List accounts, the oldest first: who they are, which Vexa user they have, and how
they stand. Without a filter, all of them.

  vexa-sso accounts list --status pending
  vexa-sso accounts list --provider okta --search lovelace
  vexa-sso accounts list --unused 2160h

An account is the lasting bond between one identity at a provider and one Vexa user. It is active,
pending (it waits for ` + "`vexa-sso accounts approve`" + `) or suspended.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		if !slices.Contains(
			[]string{"", string(mapping.Active), string(mapping.Pending), string(mapping.Suspended)}, status,
		) {
			return usageError{fmt.Errorf("--status is active, pending or suspended, not %q", status)}
		}
		if unused < 0 {
			return usageError{fmt.Errorf("--unused is a duration like 2160h, not %s", unused)}
		}
		f.Status = mapping.Status(status)
		if unused > 0 {
			f.UnusedSince = time.Now().Add(-unused)
		}
		return printList(cmd.OutOrStdout(), d.asJSON, a.Store.ListAccounts(cmd.Context(), f), viewListed,
			[]string{
				"ID", "STATUS", "WHO", "NAME", "PROVIDER", "VEXA USER", "LAST PROVEN", "LAST USED", "REASON",
			},
			func(v accountView) []string {
				return []string{
					v.ID, string(v.Status), v.who(), v.Name, v.Provider, v.vexaUser(), v.ProvenAt,
					v.LastUsed, v.Reason,
				}
			})
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&f.Provider, "provider", "", "only accounts of the provider of that `name`")
	cmd.Flags().StringVar(&f.Search, "search", "",
		"only accounts with this `text` in their name, an email or the subject")
	cmd.Flags().DurationVar(&unused, "unused", 0,
		"only accounts that nobody has used for so long, by a session,\na token or a sign-in")
	cmd.Flags().StringVar(&status, "status", "", "only accounts that are active, pending or suspended")
	return cmd
}

// accountDetails is the JSON of `accounts show`.
type accountDetails struct {
	accountView
	Groups         []string      `json:"groups"`
	GroupsComplete bool          `json:"groups_complete"`
	Roles          []string      `json:"roles"`
	Allowed        bool          `json:"allowed"`
	Refusal        string        `json:"refusal,omitempty"`
	Rules          []string      `json:"rules"`
	Scopes         []string      `json:"scopes"`
	Sessions       []sessionView `json:"sessions"`
	Tokens         []tokenView   `json:"tokens"`
	Keys           []keyView     `json:"keys"`
}

func newAccountsShow() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "show ACCOUNT",
		Short: "Show one account: identity, standing, sessions, tokens, keys",
		Long: `Show one account: who it is, how it stands and why, which Vexa user it has, its
sessions, its tokens and its keys. ACCOUNT is an id, a canonical subject, or an email that only one
account has.

` + "`vexa-sso explain --account`" + ` says, rule by rule, why it may do what it may.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		acc, err := find(cmd.Context(), a, args[0])
		if err != nil {
			return err
		}
		sessions, err := a.Store.SessionsOf(cmd.Context(), acc.ID)
		if err != nil {
			return err
		}
		tokens, err := a.Accounts.TokensOf(cmd.Context(), acc.ID)
		if err != nil {
			return err
		}
		keys, err := a.Accounts.KeysOf(cmd.Context(), acc.ID)
		if err != nil {
			return err
		}
		details := describe(a, acc, sessions, tokens, keys)
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), details)
		}
		return details.print(cmd.OutOrStdout())
	})
	d.flags(cmd, true)
	return cmd
}

func describe(
	a *bridge.Admin, acc mapping.Account, sessions []caller.Session,
	tokens []mapping.Token, keys []mapping.Key,
) accountDetails {
	decision := a.Accounts.Decide(acc)
	none := func(list []string) []string { return append([]string{}, list...) }
	return accountDetails{
		accountView: viewAccount(acc),
		Groups:      none(acc.Identity.Groups), GroupsComplete: acc.Identity.GroupsComplete,
		Roles:   none(acc.Identity.Roles),
		Allowed: decision.Allowed, Refusal: decision.Reason, Rules: none(decision.Matched()),
		Scopes:   none(decision.Grant.Scopes.List()),
		Sessions: each(sessions, owned(viewSession, acc)), Tokens: each(tokens, owned(viewToken, acc)),
		Keys: each(keys, owned(viewKey, acc)),
	}
}

func (d accountDetails) print(w io.Writer) error {
	t := newTable(w)
	for _, line := range [][2]string{
		{"account", d.ID},
		{"status", string(d.Status)},
		{"reason", d.Reason},
		{"provider", d.Provider},
		{"subject", d.Subject},
		{"kind", d.Kind},
		{"email", d.Email},
		{"unproven email", d.Unproven},
		{"name", d.Name},
		{"groups", strings.Join(d.Groups, ", ")},
		{"roles", strings.Join(d.Roles, ", ")},
		{"vexa user", d.vexaUser()},
		{"granted", strings.Join(d.Scopes, ", ")},
		{"refused", d.Refusal},
		{"rules", strings.Join(d.Rules, ", ")},
		{"created", d.CreatedAt},
		{"last proven", d.ProvenAt},
	} {
		if line[1] != "" {
			t.row(line[0], line[1])
		}
	}
	if err := t.print(); err != nil {
		return err
	}
	if len(d.Sessions) > 0 {
		fmt.Fprintln(w)
		if err := printRows(w, sessionHeading, d.Sessions, sessionView.row); err != nil {
			return err
		}
	}
	if len(d.Tokens) > 0 {
		fmt.Fprintln(w)
		if err := printRows(w, tokenHeading, d.Tokens, tokenView.row); err != nil {
			return err
		}
	}
	if len(d.Keys) > 0 {
		fmt.Fprintln(w)
		return printRows(w, keyHeading, d.Keys, keyView.row)
	}
	return nil
}

func newAccountsApprove() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "approve ACCOUNT",
		Short: "Let a pending account have the Vexa user that it waits for",
		Long: `Let a pending account have the Vexa user of the address that it waits for, whoever
made that user and whoever else has it. From then on the person reads and does whatever that Vexa
user may: make sure that it is theirs.

` + "`vexa-sso accounts list --status pending`" + ` shows who waits, and why. To give an account
another Vexa user than the one that it waits for, use ` + "`vexa-sso accounts pin`" + `.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		acc, err := find(cmd.Context(), a, args[0])
		if err != nil {
			return err
		}
		if acc, err = a.Accounts.Approve(cmd.Context(), acc.ID, actor()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "approved: account %s has the Vexa user %s\n",
			acc.ID, viewAccount(acc).vexaUser())
		return err
	})
	d.flags(cmd, false)
	return cmd
}

func newAccountsSuspend() *cobra.Command {
	var d adminCommand
	var s mapping.Suspension
	cmd := &cobra.Command{
		Use:   "suspend ACCOUNT --reason TEXT",
		Short: "Refuse an account everywhere, at once",
		Long: `Refuse an account everywhere, at once: within a second its sessions and open streams
end on every server, and its keys are deleted at Vexa. Its Vexa user may run no bots until the
account is resumed, and then as many as before. What Vexa has not confirmed is tried again until it
has.

A Vexa user may also have tokens that others minted, the Vexa terminal for example: --foreign-tokens
deletes those too. Bots that are in meetings go on until they are done, and routines of the agent of
0.12 for ever, unless --stop-bots stops them; it also takes the webhook and the calendars away. None
of that comes back on resume: the person switches routines on again in Vexa. What could not be ended
is said, and is in the audit as not_ended; share links never can.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		if s.Reason = strings.TrimSpace(plain(s.Reason)); s.Reason == "" {
			return usageError{errors.New("say why with --reason: the audit keeps it, and whoever resumes " +
				"the account reads it")}
		}
		acc, err := find(cmd.Context(), a, args[0])
		if err != nil {
			return err
		}
		left, err := a.Accounts.Suspend(cmd.Context(), acc.ID, s, actor())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "suspended: account %s (%s)\n", acc.ID, plain(viewAccount(acc).who()))
		for _, what := range left {
			fmt.Fprintf(cmd.ErrOrStderr(), "not ended: %s\n", plain(what))
		}
		return finish(cmd, a, acc)
	})
	d.flags(cmd, false)
	cmd.Flags().StringVar(&s.Reason, "reason", "",
		"why, for the audit and for whoever looks at the account next")
	cmd.Flags().BoolVar(&s.ForeignTokens, "foreign-tokens", false,
		"also delete the Vexa user's tokens that others minted")
	cmd.Flags().BoolVar(&s.StopBots, "stop-bots", false,
		"also stop running bots and agent routines, and remove webhook and calendars")
	return cmd
}

func newAccountsResume() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "resume ACCOUNT",
		Short: "End a suspension",
		Long: `End a suspension. The account is what it was before, except for what the suspension
ended: people sign in again, and keys are minted when they are needed.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		acc, err := find(cmd.Context(), a, args[0])
		if err != nil {
			return err
		}
		if err := a.Accounts.Resume(cmd.Context(), acc.ID, actor()); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "resumed: account %s (%s)\n", acc.ID, plain(viewAccount(acc).who()))
		return finish(cmd, a, acc)
	})
	d.flags(cmd, false)
	return cmd
}

// finish has Vexa told at once of what was decided about an account, so that this is done also where no
// server runs, and prints what Vexa has not confirmed. That is no failure: the decision holds here already,
// and running servers retry. was is the account as it was before.
func finish(cmd *cobra.Command, a *bridge.Admin, was mapping.Account) error {
	waiting, err := a.Accounts.Settle(cmd.Context(), was)
	if err != nil {
		return err
	}
	if waiting > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: Vexa has not confirmed %s yet; what was decided holds here "+
			"already, and a running server goes on trying\n", counted(waiting, "change", "changes"))
	}
	return nil
}

// counted returns a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
