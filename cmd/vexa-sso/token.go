package main

import (
	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

func newToken() *cobra.Command {
	var s terminalCommand
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print an access token, for scripts",
		Long: `Print an access token for the server, and nothing else, on the standard output. It is
good for a minute at least and renewed where needed; it goes where a Vexa API key would:

  curl -H "Authorization: Bearer $(vexa-sso token)" https://vexa.acme.example/bots/status

which shows it to everybody who lists this machine's processes: ` + "`vexa-sso curl`" + ` and
` + "`vexa-sso exec`" + ` don't. If the sign-in has ended and you are at a terminal, your browser is
opened to sign in again; a script gets exit code 1 instead.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = s.with(func(cmd *cobra.Command, _ []string, t *terminal.Terminal) error {
		server, err := s.choose(t)
		if err != nil {
			return err
		}
		token, err := t.Token(cmd.Context(), server, terminal.Soon)
		if err != nil {
			return err
		}
		if terminalOf(cmd.OutOrStdout()) {
			say(cmd.ErrOrStderr(),
				"This is as good as your password until it expires. Keep it out of chats and tickets.\n")
		}
		return say(cmd.OutOrStdout(), "%s\n", token)
	})
	s.flag(cmd)
	return cmd
}
