package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

func newCurl() *cobra.Command {
	var s terminalCommand
	cmd := &cobra.Command{
		Use:   "curl PATH… [-- curl's options]",
		Short: "Call Vexa with curl, signed in",
		Long: `Call Vexa with the curl program, signed in as you:

  vexa-sso curl /bots/status
  vexa-sso curl /bots -- --json '{"platform":"google_meet","native_meeting_id":"abc-defg-hij"}'

curl gets the token through a pipe, so that it is in no command line. Only addresses of the server
are asked, and only options that cannot send the token elsewhere or print it are passed on;
~/.curlrc is not read. The exit code is curl's.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.RunE = s.with(func(cmd *cobra.Command, args []string, t *terminal.Terminal) error {
		paths, options := args, []string(nil)
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			paths, options = args[:dash], args[dash:]
		}
		if len(paths) == 0 {
			return usageError{errors.New("name a path, like /bots/status")}
		}
		server, err := s.choose(t)
		if err != nil {
			return err
		}
		return curl(cmd, t, server, paths, options)
	})
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w (curl's own options go behind the paths and a --)", err)
	})
	s.flag(cmd)
	return cmd
}

// curl runs curl. Forbidden options are refused before a token is renewed, and nobody is asked to sign in for
// them.
func curl(cmd *cobra.Command, t *terminal.Terminal, server terminal.Origin, paths, options []string) error {
	program := exec.Command("curl")
	if program.Err != nil {
		return errors.New("there is no curl program on your PATH: install it, or use `vexa-sso exec -- …` " +
			"with a program that you have")
	}
	in, err := t.Wallet.Note(server)
	if err != nil {
		return err
	}
	arguments, err := terminal.CurlArguments(server, in.CAFile, paths, options)
	if err != nil {
		return usageError{err}
	}
	token, err := t.Token(cmd.Context(), server, terminal.Soon)
	if err != nil {
		return err
	}
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr()
	config, err := terminal.HandOver(program, terminal.CurlConfig(token))
	if err != nil {
		return err
	}
	// Without -q, which must be first, a ~/.curlrc could do what options may not.
	program.Args = append(program.Args, append([]string{"-q", "--config", config}, arguments...)...)
	return terminal.Run(program)
}
