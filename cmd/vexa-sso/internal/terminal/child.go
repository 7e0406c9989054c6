package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

// ExitCode is how a program ended that was run in somebody's name: it is to be the exit code of ours.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Environment returns an environment in which programs for Vexa find the server and a
// credential, and no earlier ones.
func Environment(environ []string, origin Origin, token string) []string {
	var out []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); name != "VEXA_API_URL" && name != "VEXA_API_KEY" {
			out = append(out, v)
		}
	}
	return append(out, "VEXA_API_URL="+string(origin), "VEXA_API_KEY="+token)
}

// Run runs a program to its end and passes signals on to it; the error is an ExitCode unless it ended with 0.
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

// exitCode is the code of a program that ended, or that a signal ended as shells count it.
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
