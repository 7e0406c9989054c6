//go:build !unix

package terminal

import (
	"os"
	"os/exec"
	"strings"
)

// A Ctrl-C reaches every program of a console by itself; it is caught here so that we outlive the other.
var passedOn = []os.Signal{os.Interrupt}

func killedBy(*exec.ExitError) int { return 0 }

// Become runs a program in place of this one, to its end.
func Become(path string, argv, environ []string) error {
	cmd := exec.Command(path, argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, os.Stdin, os.Stdout, os.Stderr
	if err := Run(cmd); err != nil {
		return err
	}
	return ExitCode(0)
}

// HandOver gives a program a secret text to read on its standard input, the only stream that can be handed
// over here, and returns curl's name for it.
func HandOver(cmd *exec.Cmd, text string) (name string, err error) {
	cmd.Stdin = strings.NewReader(text)
	return "-", nil
}
