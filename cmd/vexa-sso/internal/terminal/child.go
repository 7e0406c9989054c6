package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

// ExitCode is the exit code of a program that was run with a token. It becomes ours.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Environment returns environ with VEXA_API_URL and VEXA_API_KEY set, and no earlier values of theirs.
func Environment(environ []string, origin Origin, token string) []string {
	var out []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); name != "VEXA_API_URL" && name != "VEXA_API_KEY" {
			out = append(out, v)
		}
	}
	return append(out, "VEXA_API_URL="+string(origin), "VEXA_API_KEY="+token)
}

// Run runs a program to its end and forwards signals to it; the error is an ExitCode unless it ended with 0.
func Run(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			cmd.Process.Signal(s) // it may have ended just now
		case err := <-ended:
			return exitCode(err)
		}
	}
}

// exitCode returns the ExitCode of a program; 128+n, as in shells, if signal n ended it.
func exitCode(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if n := killedBy(exit); n > 0 {
		return ExitCode(128 + n)
	}
	return ExitCode(exit.ExitCode())
}
