//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner of another: what root rotates must stay readable for the service.
func keepOwner(f *os.File, other fs.FileInfo) error {
	wanted, ok := other.Sys().(*syscall.Stat_t)
	if !ok || int(wanted.Uid) == os.Geteuid() && int(wanted.Gid) == os.Getegid() {
		return nil
	}
	return f.Chown(int(wanted.Uid), int(wanted.Gid))
}
