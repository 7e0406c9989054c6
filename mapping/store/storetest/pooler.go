package storetest

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

// Pooler starts a PgBouncer of transactions before a database, and returns the URL through it. settings are
// more lines for it. Where there is no PgBouncer, the test is skipped.
func Pooler(t testing.TB, database string, settings ...string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
		if _, err := os.Stat(program); err != nil {
			t.Skip("no PgBouncer: pgbouncer is neither in PATH nor in /usr/sbin; install it")
		}
	}
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "vexa-sso-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as, err := forServer(dir) // PgBouncer does not run as root either
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	text := "[databases]\n* = host=" + address.Hostname() + " port=" + address.Port() + " user=" +
		address.User.Username() + "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " + port +
		"\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n" + strings.Join(settings, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	line := append(as, program, file)
	log := &oidctest.LogBook{}
	pooler := exec.Command(line[0], line[1:]...)
	pooler.Dir, pooler.Stderr = dir, log
	if err := pooler.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pooler.Process.Kill(); _ = pooler.Wait() })
	address.Host = net.JoinHostPort("127.0.0.1", port)
	if !oidctest.Await(func() bool {
		conn, err := net.Dial("tcp", address.Host)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatalf("PgBouncer does not start:\n%s", log)
	}
	return address.String()
}
