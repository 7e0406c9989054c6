package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
)

// systemKeyring keeps secrets. Tests replace it.
var systemKeyring terminal.Keyring = terminal.SystemKeyring{}

// terminalCommand is what the commands for people with tools share: the server.
type terminalCommand struct{ server string }

func (s *terminalCommand) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.server, "server", "",
		"the `server`; default: VEXA_SSO_SERVER, else the last that you signed in to")
}

// with returns the RunE of a command: it opens the wallet and calls run; an interruption gets an error of its
// own.
func (s *terminalCommand) with(
	run func(cmd *cobra.Command, args []string, t *terminal.Terminal) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		folder, err := terminal.Folder(os.Getenv)
		if err != nil {
			return err
		}
		wallet, err := terminal.OpenWallet(folder, systemKeyring)
		if err != nil {
			return err
		}
		err = run(cmd, args, &terminal.Terminal{
			Wallet: wallet, Err: cmd.ErrOrStderr(), Browser: terminal.Browser(os.Getenv), Now: time.Now,
			Person: isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stderr.Fd()),
		})
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		return err
	}
}

// named returns the server that --server or VEXA_SSO_SERVER names, or "".
func (s *terminalCommand) named() string {
	if s.server != "" {
		return s.server
	}
	return os.Getenv("VEXA_SSO_SERVER")
}

// choose returns the named server, or the last that was signed in to.
func (s *terminalCommand) choose(t *terminal.Terminal) (terminal.Origin, error) {
	if named := s.named(); named != "" {
		return origin(named)
	}
	return t.Choose()
}

// origin parses a server's address from a command line.
func origin(text string) (terminal.Origin, error) {
	o, err := terminal.ParseOrigin(text)
	if err != nil {
		return "", usageError{err}
	}
	return o, nil
}

// terminalOf reports whether a writer is a terminal.
func terminalOf(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func say(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}
