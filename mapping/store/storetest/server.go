package storetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// errNone says that there is no PostgreSQL on this machine.
var errNone = errors.New("no PostgreSQL: initdb is neither in PATH nor in /usr/lib/postgresql; " +
	"install it, or name a server in VEXA_SSO_TEST_POSTGRES")

// server starts a PostgreSQL server for the tests of this process, and returns its URL. It lives as long as
// the process.
var server = sync.OnceValues(func() (url string, err error) {
	bin, err := findServer()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "vexa-sso-postgres-")
	if err != nil {
		return "", err
	}
	if err := outlived(dir); err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	as, err := forServer(dir)
	if err != nil {
		return "", err
	}
	run := func(program string, args ...string) error {
		line := slices.Concat(as, []string{filepath.Join(bin, program)}, args)
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = dir // which its user may enter
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", program, err, out)
		}
		return nil
	}
	data, log := filepath.Join(dir, "data"), filepath.Join(dir, "log")
	err = run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return "", err
	}
	for range 5 { // a port that is free may be somebody else's a moment later
		port, err := freePort()
		if err != nil {
			return "", err
		}
		err = run("pg_ctl", "-D", data, "-l", log, "-w", "-t", "120", "-o",
			"-c listen_addresses=127.0.0.1 -c port="+port+" -c unix_socket_directories= -c fsync=off",
			"start")
		if err == nil {
			return "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable", nil
		}
	}
	said, _ := os.ReadFile(log)
	return "", fmt.Errorf("PostgreSQL does not start:\n%s", said)
})

// findServer returns the folder that has the programs of the newest PostgreSQL.
func findServer() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
			return "", err
		}
		return filepath.Dir(initdb), nil
	}
	newest, bin := 0, ""
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, initdb := range found {
		dir := filepath.Dir(initdb)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && version > newest {
			newest, bin = version, dir
		}
	}
	if bin == "" {
		return "", errNone
	}
	return bin, nil
}

// forServer returns what to put before a command of PostgreSQL's, which refuses to run as root, and gives its
// user the folder.
func forServer(dir string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("setpriv"); err == nil {
		return []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}, nil
	}
	return []string{"runuser", "-u", "postgres", "--"}, nil
}

// held is what the shells of outlived read. It is open while this process is there,
// because nothing lets go of it.
var held []io.Closer

// outlived stops the server of a folder and removes it when this process has ended, however it does: a shell
// waits for that.
func outlived(dir string) error {
	shell := exec.Command("sh", "-c", `trap '' INT QUIT HUP TERM
cat
if pid=$(head -n 1 "$0/data/postmaster.pid"); then
  kill -QUIT "$pid"
  while kill -0 "$pid"; do sleep 0.1; done
fi
rm -rf "$0"`, dir)
	shell.Dir = "/"
	pipe, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	held = append(held, pipe)
	return shell.Start()
}

func freePort() (string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer free.Close()
	_, port, err := net.SplitHostPort(free.Addr().String())
	return port, err
}
