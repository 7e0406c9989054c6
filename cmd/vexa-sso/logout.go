package main

import (
	"errors"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

func newLogout() *cobra.Command {
	var s terminalCommand
	var all bool
	cmd := &cobra.Command{
		Use:   "logout [https://vexa.acme.example]",
		Short: "Sign out from this terminal",
		Long: `End the sign-in on the server, so that no copy of it is good for anything, and forget
it here. If the server cannot be told, it is forgotten here all the same, and the exit code is 1.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = s.with(func(cmd *cobra.Command, args []string, t *terminal.Terminal) error {
		if all && (len(args) > 0 || s.server != "") {
			return usageError{errors.New("name one server, or --all")}
		}
		if len(args) == 1 {
			s.server = args[0]
		}
		servers, err := s.serversToLeave(t, all)
		if err != nil {
			return err
		}
		if len(servers) == 0 {
			return say(cmd.OutOrStdout(), "You are not signed in to any server.\n")
		}
		var failed []error
		for _, server := range servers {
			var none *terminal.NotSignedIn
			switch err := t.SignOut(cmd.Context(), server); {
			case errors.As(err, &none):
				say(cmd.OutOrStdout(), "You are not signed in to %s.\n", server)
			case err != nil:
				failed = append(failed, err)
			default:
				say(cmd.OutOrStdout(), "Signed out of %s.\n", server)
			}
		}
		return errors.Join(failed...)
	})
	s.flag(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "sign out of every server")
	return cmd
}

// serversToLeave returns the servers to sign out of.
func (s *terminalCommand) serversToLeave(t *terminal.Terminal, all bool) ([]terminal.Origin, error) {
	if named := s.named(); named != "" && !all {
		server, err := origin(named)
		return []terminal.Origin{server}, err
	}
	known, err := t.Wallet.All()
	if err != nil {
		return nil, err
	}
	if !all {
		known = known[:min(len(known), 1)]
	}
	return each(known, func(in terminal.SignIn) terminal.Origin { return in.Origin }), nil
}
