//go:build unix

package terminal

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// onlyOurs refuses a file or folder that others can access, or own: a secret there is not secret.
func onlyOurs(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others may use %s (its mode is %04o): chmod go= it, and if somebody may have "+
			"read it, sign out and in again", path, mode)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user than the one who runs this: run it as yourself", path)
	}
	return nil
}
