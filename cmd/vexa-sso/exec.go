package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

func newExec() *cobra.Command {
	var s terminalCommand
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND…",
		Short: "Run a program that knows Vexa's API, signed in",
		Long: `Run a program with VEXA_API_URL and VEXA_API_KEY in its environment, signed in as you:

  vexa-sso exec -- python bot.py

Signals and the exit code are the program's own. The key is an access token that expires, as a rule
after an hour; for what runs longer, make a personal token on the server's page /sso/tokens.`,
		Args: arguments(1, math.MaxInt),
	}
	cmd.RunE = s.with(func(cmd *cobra.Command, args []string, t *terminal.Terminal) error {
		server, err := s.choose(t)
		if err != nil {
			return err
		}
		path, err := exec.LookPath(args[0])
		if err != nil {
			return fmt.Errorf("finding the program: %w", err)
		}
		token, err := t.Token(cmd.Context(), server, terminal.Lasting)
		if err != nil {
			return err
		}
		return terminal.Become(path, args, terminal.Environment(os.Environ(), server, token))
	})
	s.flag(cmd)
	cmd.Flags().SetInterspersed(false) // what follows the program's name is the program's
	return cmd
}
