//go:build unix

package terminal

import (
	"os/exec"
	"syscall"
)

// detach runs a browser in a session of its own (setsid): a Ctrl-C in the terminal is for us.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
