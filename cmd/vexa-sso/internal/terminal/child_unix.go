//go:build unix

package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

func killedBy(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return int(status.Signal())
	}
	return 0
}

// Become replaces this process by a program (execve): signals, the terminal and the exit code are its own. It
// returns only if that fails.
func Become(path string, argv, environ []string) error {
	return fmt.Errorf("starting %s: %w", path, syscall.Exec(path, argv, environ))
}

// HandOver gives a program a secret text to read, and returns the name of the file that it reads it from: a
// pipe besides the standard streams, so that its input stays the person's.
func HandOver(cmd *exec.Cmd, text string) (name string, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("making a pipe: %w", err)
	}
	defer w.Close()
	if _, err := w.WriteString(text); err != nil { // it is less than a pipe holds
		r.Close()
		return "", fmt.Errorf("writing to a pipe: %w", err)
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	return fmt.Sprintf("/dev/fd/%d", 2+len(cmd.ExtraFiles)), nil
}
