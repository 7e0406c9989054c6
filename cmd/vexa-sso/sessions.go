package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
	"vexa-sso/proxy/caller"
)

// sessionView is a session as JSON and tables show it: never its cookie.
type sessionView struct {
	ID        string `json:"id"`
	Account   string `json:"account"`
	Whose     string `json:"whose"`
	Provider  string `json:"provider"`
	CreatedAt string `json:"created_at"`
	LastSeen  string `json:"last_seen"`
	ExpiresAt string `json:"expires_at"`
}

func viewSession(o store.Owned[caller.Session]) sessionView {
	s := o.Item
	return sessionView{
		s.ID, s.AccountID, whose(o.Owner), s.Provider, moment(s.CreatedAt), moment(s.LastSeen),
		moment(s.ExpiresAt),
	}
}

var sessionHeading = []string{"SESSION", "ACCOUNT", "WHOSE", "PROVIDER", "SIGNED IN", "LAST SEEN", "EXPIRES"}

func (s sessionView) row() []string {
	return []string{s.ID, s.Account, s.Whose, s.Provider, s.CreatedAt, s.LastSeen, s.ExpiresAt}
}

func newSessionsList() *cobra.Command {
	var d adminCommand
	var account string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the browsers that are signed in",
		Long: `List the browsers that are signed in, the oldest first. A session is named by an id
that opens nothing; what its browser holds is not stored. When it was last seen is exact to about a
minute.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		return printList(cmd.OutOrStdout(), d.asJSON, sessionsOf(cmd, a, account), viewSession,
			sessionHeading, sessionView.row)
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&account, "account", "", "only of this `account`: an id, a subject or an email")
	return cmd
}

// sessionsOf returns the sessions of an account, or all.
func sessionsOf(
	cmd *cobra.Command, a *bridge.Admin, account string,
) iter.Seq2[store.Owned[caller.Session], error] {
	if account == "" {
		return a.Store.ListSessions(cmd.Context())
	}
	acc, err := find(cmd.Context(), a, account)
	if err != nil {
		return listed[store.Owned[caller.Session]](nil, err)
	}
	sessions, err := a.Store.SessionsOf(cmd.Context(), acc.ID)
	return listed(ownedBy(sessions, acc), err)
}

// exactlyOne returns a usage error unless exactly one of an id, --account and --all is given.
func exactlyOne(thing string, args []string, account string, all bool) error {
	named := 0
	for _, is := range []bool{len(args) == 1, account != "", all} {
		if is {
			named++
		}
	}
	if named != 1 {
		return usageError{fmt.Errorf("name one %s, or an account with --account, or everybody with --all",
			thing)}
	}
	return nil
}

func newSessionsEnd() *cobra.Command {
	var d adminCommand
	var account string
	var all bool
	cmd := &cobra.Command{
		Use:   "end SESSION | end --account ACCOUNT | end --all",
		Short: "Sign a browser out, or all of an account, or everybody",
		Long: `Sign a browser out, or with --account all that an account is signed in with, or with
--all everybody. Within a second the next request of it is 401 on every server, and its open streams
end. Who may sign in can do so again at once: to keep somebody out, suspend the account.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		if err := exactlyOne("session", args, account, all); err != nil {
			return err
		}
		sessions := sessionsOf(cmd, a, account)
		if len(args) == 1 {
			one, err := a.Store.Session(cmd.Context(), args[0])
			if errors.Is(err, mapping.ErrNotFound) {
				return fmt.Errorf("no session is %q: `vexa-sso sessions list` shows all", args[0])
			}
			sessions = listed([]store.Owned[caller.Session]{{Item: one}}, err)
		}
		ended := 0
		for owned, err := range sessions {
			if err != nil {
				return err
			}
			s := owned.Item
			r := mapping.Revocation{
				Kind: mapping.RevokeSession, Account: s.AccountID, Session: s.ID, Reason: "ended by an admin",
			}
			err = a.Accounts.Revoke(cmd.Context(), r, actor())
			if errors.Is(err, mapping.ErrNotFound) {
				continue // it ended by itself just now
			}
			if err != nil {
				return err
			}
			ended++
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "ended %s\n", counted(ended, "session", "sessions"))
		return err
	})
	d.flags(cmd, false)
	cmd.Flags().StringVar(&account, "account", "",
		"all sessions of this `account`: an id, a subject or an email")
	cmd.Flags().BoolVar(&all, "all", false, "all sessions there are")
	return cmd
}
