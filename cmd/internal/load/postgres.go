package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is a server of our own, which can be stopped, followed by a standby, and promoted.
type postgres struct {
	dir  string
	port string
	bin  string
	as   []string // before each command: it refuses to run as root
	more string   // settings
}

// newPostgres finds the programs and makes a folder.
func newPostgres() (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil { // the others are where it really is
			found = append(found, initdb)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no PostgreSQL: %w", exec.ErrNotFound)
	}
	dir, err := os.MkdirTemp("", "vexa-sso-load-")
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir, bin: filepath.Dir(found[len(found)-1])}
	if os.Geteuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		p.as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}
	}
	p.port, err = freePort()
	return p, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func (p *postgres) run(ctx context.Context, program string, args ...string) error {
	line := slices.Concat(p.as, []string{filepath.Join(p.bin, program)}, args)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = p.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, said)
	}
	return nil
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

// settings are those of a server that is thrown away: the disk is not waited for.
func (p *postgres) settings() string {
	return strings.Join([]string{
		"-c listen_addresses=127.0.0.1", "-c port=" + p.port, "-c unix_socket_directories=",
		"-c fsync=off", "-c max_connections=200", "-c shared_buffers=512MB", "-c max_wal_size=4GB",
		"-c wal_level=replica", "-c hot_standby=on", p.more,
	}, " ")
}

// create makes an empty database and starts it.
func (p *postgres) create(ctx context.Context) error {
	err := p.run(ctx, "initdb", "-D", p.data(), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale",
		"--no-sync")
	if err != nil {
		return err
	}
	return p.start(ctx)
}

func (p *postgres) start(ctx context.Context) error {
	return p.run(ctx, "pg_ctl", "-D", p.data(), "-l", filepath.Join(p.dir, "log"), "-w", "-t", "120", "-o",
		p.settings(), "start")
}

func (p *postgres) stop(ctx context.Context, mode string) error {
	return p.run(ctx, "pg_ctl", "-D", p.data(), "-w", "-m", mode, "stop")
}

// follow makes a standby of another server and starts it.
func (p *postgres) follow(ctx context.Context, leader *postgres) error {
	err := p.run(ctx, "pg_basebackup", "-D", p.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-h", "127.0.0.1", "-p", leader.port, "-U", "postgres")
	if err != nil {
		return err
	}
	return p.start(ctx)
}

func (p *postgres) promote(ctx context.Context) error {
	return p.run(ctx, "pg_ctl", "-D", p.data(), "-w", "promote")
}

func (p *postgres) url(database string) string {
	return "postgres://postgres@127.0.0.1:" + p.port + "/" + database + "?sslmode=disable"
}

// database makes a database and opens it.
func (p *postgres) database(ctx context.Context, name string) (*sql.DB, error) {
	admin, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return nil, err
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(p.url(name))
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}

// remove stops the server, if it runs, and deletes it.
func (p *postgres) remove() error {
	_ = p.stop(context.Background(), "immediate")
	return os.RemoveAll(p.dir)
}
