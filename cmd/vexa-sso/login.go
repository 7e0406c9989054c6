package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

func newLogin() *cobra.Command {
	var s terminalCommand
	var r terminal.Request
	var list, asJSON bool
	cmd := &cobra.Command{
		Use:   "login [https://vexa.acme.example]",
		Short: "Sign in from this terminal",
		Long: `Sign in to a server from this terminal, through your browser. Without an address: to
the one that you last signed in to, again.

What you get is kept in the system's keyring, or where there is none in a file that only you may
read, and renewed by itself while it is used; ` + "`vexa-sso logout`" + ` ends it. The last server
that you signed in to is the one that the other commands mean, unless --server or VEXA_SSO_SERVER
names another.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = s.with(func(cmd *cobra.Command, args []string, t *terminal.Terminal) error {
		switch {
		case asJSON && !list:
			return usageError{errors.New("--json goes with --list")}
		case r.Device && r.NoBrowser:
			return usageError{errors.New("--device and --no-browser are two ways to sign in: choose one")}
		}
		if list {
			return listSignIns(cmd, t, asJSON)
		}
		if len(args) == 1 {
			s.server = args[0]
		}
		server, err := s.choose(t)
		if err != nil {
			return err
		}
		in, err := t.SignIn(cmd.Context(), server, r)
		if err != nil {
			return err
		}
		as := ""
		if in.Account != "" {
			as = " as " + in.Account
		}
		return say(cmd.OutOrStdout(), "Signed in to %s%s. Scopes: %s.\n",
			in.Origin, as, strings.Join(in.Scopes, ", "))
	})
	flags := cmd.Flags()
	flags.BoolVar(&r.Device, "device", false, "use a browser on another machine: enter a code there")
	flags.BoolVar(&r.NoBrowser, "no-browser", false, "only print the address, for a browser on this machine")
	flags.StringSliceVar(&r.Scopes, "scope", nil,
		"at most these Vexa `scopes`, like bot,tx (default: all that you have)")
	flags.StringVar(&r.CAFile, "ca-file", "", "trust the certificates in this `file` for the server, "+
		"besides\nthe system's; SSL_CERT_FILE counts, too")
	flags.BoolVar(&list, "list", false, "list what you are signed in to, and sign in to nothing")
	flags.BoolVar(&asJSON, "json", false, "with --list: print JSON")
	return cmd
}

// signInView is a sign-in as JSON and tables show it: never its tokens.
type signInView struct {
	Server     string   `json:"server"`
	Account    string   `json:"account"`
	Scopes     []string `json:"scopes"`
	SignedInAt string   `json:"signed_in_at"`
	Kept       string   `json:"kept"`
	Ended      bool     `json:"ended"`
}

func listSignIns(cmd *cobra.Command, t *terminal.Terminal, asJSON bool) error {
	all, err := t.Wallet.All()
	if err != nil {
		return err
	}
	views := each(all, func(in terminal.SignIn) signInView {
		scopes := append([]string{}, in.Scopes...)
		return signInView{string(in.Origin), in.Account, scopes, moment(in.SignedInAt), in.Kept, in.Ended}
	})
	if asJSON {
		return printJSON(cmd.OutOrStdout(), views)
	}
	table := newTable(cmd.OutOrStdout(), "SERVER", "ACCOUNT", "SCOPES", "SIGNED IN", "KEPT IN", "STATE")
	for _, v := range views {
		state := "good"
		if v.Ended {
			state = "ended"
		}
		table.row(v.Server, v.Account, strings.Join(v.Scopes, ","), v.SignedInAt, v.Kept, state)
	}
	return table.print()
}
