//go:build unix

package terminal

import (
	"os/exec"
	"syscall"
)

// detach gives a browser a session of its own: a Ctrl-C in the terminal is for us.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
