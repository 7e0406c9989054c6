// Command vexa-sso is a proxy in front of Vexa that people and programs sign in to with their organisation's
// identity provider. See `vexa-sso help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
	"vexa-sso/config"
)

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1
	exitWrong  = 2 // wrong usage or configuration
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks to end, the second ends
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs the command that args name and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	running := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)

	var misset config.Errors
	var usage usageError
	var program terminal.ExitCode // of a program that was run with a token
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &program):
		return int(program)
	case errors.As(err, &misset):
		fmt.Fprintln(stderr, misset)
		return exitWrong
	case errors.Is(err, errDifferent):
		return exitFailed
	case !running, errors.As(err, &usage): // an error of cobra's, before the command ran
		fmt.Fprintf(stderr, "vexa-sso: %v\nSee `%s --help`.\n", err, cmd.CommandPath())
		return exitWrong
	default:
		fmt.Fprintf(stderr, "vexa-sso: %v\n", err)
		return exitFailed
	}
}

// usageError is the error of a command line that is wrong, found by the command itself.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := group("vexa-sso", "Single sign-on for Vexa",
		newServe(), newCheck(), group("config", "Show the configuration", newConfigPrint()),
		group("keyring", "Make and rotate the key ring that seals what is stored", newKeyringGenerate(),
			newKeyringAdd(), newKeyringPromote(), newKeyringRotate(), newKeyringReseal()),
		group("accounts", "See and decide who has which Vexa user", newAccountsList(),
			newAccountsShow(), newAccountsApprove(),
			newAccountsPin(), newAccountsUnpin(), newAccountsPins(), newAccountsSuspend(),
			newAccountsResume(), newAccountsRekey()),
		group("sessions", "See and end what browsers are signed in", newSessionsList(), newSessionsEnd()),
		group("tokens", "See and revoke the tokens that programs show", newTokensList(), newTokensRevoke()),
		group("keys", "See and revoke the Vexa keys that the bridge keeps", newKeysList(),
			newKeysRevoke(), newKeysRotate()),
		newExplain(), group("rules", "Try rules before they go live", newRulesDiff()), newReconcile(),
		newAudit(), newLogin(), newToken(), newCurl(), newExec(), newLogout(), newVersion())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = thisBuild().String()
	root.SetVersionTemplate("{{.Version}}\n")
	return root
}

// arguments checks the number of arguments; the error shows the command's usage line.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("write it as: %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
		return nil
	}
}

// group returns a command that has only subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, SuggestionsMinimumDistance: 2}
	g.Args = cobra.ArbitraryArgs
	g.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{errors.New("name a command")}
		}
		if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
			return usageError{fmt.Errorf("unknown command %q: did you mean %s?", args[0], meant[0])}
		}
		return usageError{fmt.Errorf("unknown command %q", args[0])}
	}
	g.AddCommand(commands...)
	return g
}
