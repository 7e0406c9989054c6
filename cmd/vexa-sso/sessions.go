package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// sessionView is a session as JSON and tables show it: never its cookie.
type sessionView struct {
	ID        string `json:"id"`
	Account   string `json:"account"`
	Provider  string `json:"provider"`
	CreatedAt string `json:"created_at"`
	LastSeen  string `json:"last_seen"`
	ExpiresAt string `json:"expires_at"`
}

func viewSession(s caller.Session) sessionView {
	return sessionView{
		s.ID, s.AccountID, s.Provider, moment(s.CreatedAt), moment(s.LastSeen), moment(s.ExpiresAt),
	}
}

func printSessions(w io.Writer, sessions []sessionView) error {
	t := newTable(w, "SESSION", "ACCOUNT", "PROVIDER", "SIGNED IN", "LAST SEEN", "EXPIRES")
	for _, s := range sessions {
		t.row(s.ID, s.Account, s.Provider, s.CreatedAt, s.LastSeen, s.ExpiresAt)
	}
	return t.print()
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
		sessions, err := sessionsOf(cmd, a, account)
		if err != nil {
			return err
		}
		views := each(sessions, viewSession)
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), views)
		}
		return printSessions(cmd.OutOrStdout(), views)
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&account, "account", "", "only of this `account`: an id, a subject or an email")
	return cmd
}

// sessionsOf returns the sessions of an account, or all.
func sessionsOf(cmd *cobra.Command, a *bridge.Admin, account string) ([]caller.Session, error) {
	if account == "" {
		return a.Store.Sessions(cmd.Context())
	}
	acc, err := find(cmd.Context(), a, account)
	if err != nil {
		return nil, err
	}
	return a.Store.SessionsOf(cmd.Context(), acc.ID)
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
		sessions, err := sessionsOf(cmd, a, account)
		if err != nil {
			return err
		}
		ended := 0
		for _, s := range sessions {
			if len(args) == 1 && s.ID != args[0] {
				continue
			}
			r := mapping.Revocation{
				Kind: mapping.RevokeSession, Account: s.AccountID, Session: s.ID, Reason: "ended by an admin",
			}
			err := a.Accounts.Revoke(cmd.Context(), r, actor())
			if errors.Is(err, mapping.ErrNotFound) {
				continue // it ended by itself just now
			}
			if err != nil {
				return err
			}
			ended++
		}
		if ended == 0 && len(args) == 1 {
			return fmt.Errorf("no session is %q: `vexa-sso sessions list` shows all", args[0])
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "ended %s\n", counted(ended, "session", "sessions"))
		return err
	})
	d.flags(cmd, false)
	cmd.Flags().StringVar(&account, "account", "",
		"all sessions of this `account`: an id, a subject or an email")
	cmd.Flags().BoolVar(&all, "all", false, "all sessions there are")
	return cmd
}
