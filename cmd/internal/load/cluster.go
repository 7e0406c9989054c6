package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// cluster is three replicas behind haproxy, on a PostgreSQL that a standby follows.
type cluster struct {
	*world
	program         string
	leader, standby *postgres
	nodes           []*node
	haproxy         *exec.Cmd
	front           string // where haproxy listens
}

// node is the place of a replica: its addresses, configuration and key ring stay when it starts again.
type node struct {
	listen, metrics, config, ring string
	replica                       *replica
}

const replicasOfCluster = 3

// newCluster starts all of it, with so many people in the store.
func newCluster(ctx context.Context, program string, accounts int) (c *cluster, err error) {
	w, err := newWorld(1, accounts, 20*time.Millisecond)
	if err != nil {
		return nil, err
	}
	c = &cluster{world: w, program: program}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.startDatabases(ctx); err != nil {
		return c, err
	}
	for range replicasOfCluster {
		if err := c.addNode(ctx); err != nil {
			return c, err
		}
	}
	if err := fill(ctx, c.leader.url("postgres"), w.population, 0, accounts); err != nil {
		return c, err
	}
	return c, c.startHAProxy(ctx)
}

// startDatabases starts the leader and its standby. What is committed is on both: a failover of a database
// that loses commits loses revocations, whatever we do.
func (c *cluster) startDatabases(ctx context.Context) (err error) {
	if c.leader, err = newPostgres(); err != nil {
		return err
	}
	c.leader.more = "-c synchronous_standby_names='*' -c synchronous_commit=local"
	if err := c.leader.create(ctx); err != nil {
		return err
	}
	if c.standby, err = newPostgres(); err != nil {
		return err
	}
	if err := c.standby.follow(ctx, c.leader); err != nil {
		return err
	}
	if err := c.leader.stop(ctx, "fast"); err != nil {
		return err
	}
	c.leader.more = "-c synchronous_standby_names='*' -c synchronous_commit=on"
	return c.leader.start(ctx)
}

// store names both servers: whichever takes writes is the one.
func (c *cluster) store() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%s,127.0.0.1:%s/postgres?sslmode=disable&"+
		"target_session_attrs=read-write", c.leader.port, c.standby.port)
}

func (c *cluster) addNode(ctx context.Context) error {
	n := &node{ring: filepath.Join(c.dir, fmt.Sprintf("keyring-%d.json", len(c.nodes)))}
	for _, address := range []*string{&n.listen, &n.metrics} {
		port, err := freePort()
		if err != nil {
			return err
		}
		*address = "127.0.0.1:" + port
	}
	text, err := os.ReadFile(c.ringFile())
	if err != nil {
		return err
	}
	if err := os.WriteFile(n.ring, text, 0o600); err != nil {
		return err
	}
	n.config, err = c.configure("{store}", c.store(), "{listen}", n.listen, "{metrics}", n.metrics,
		"{ring}", n.ring)
	if err != nil {
		return err
	}
	n.replica, err = startReplica(ctx, c.program, n.config)
	c.nodes = append(c.nodes, n)
	return err
}

const haproxyConfig = `
global
  stats socket {socket} mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout queue 5s
  timeout check 1s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
frontend people
  bind {front}
  default_backend replicas
backend replicas
  balance roundrobin
  option httpchk GET /sso/readyz
  http-check expect status 200
  default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
`

func (c *cluster) startHAProxy(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	c.front = "127.0.0.1:" + port
	text := strings.NewReplacer("{front}", c.front, "{socket}", c.socket()).Replace(haproxyConfig)
	for i, n := range c.nodes {
		text += fmt.Sprintf("  server r%d %s\n", i, n.listen)
	}
	file := filepath.Join(c.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	c.haproxy = exec.Command("haproxy", "-db", "-q", "-f", file)
	c.haproxy.Stderr = os.Stderr
	if err := c.haproxy.Start(); err != nil {
		return err
	}
	return c.ready(ctx, c.front+"/sso")
}

func (c *cluster) close() {
	if c.haproxy != nil && c.haproxy.Process != nil {
		_ = c.haproxy.Process.Kill()
		_ = c.haproxy.Wait()
	}
	for _, n := range c.nodes {
		if n.replica != nil {
			n.replica.stop()
		}
	}
	for _, p := range []*postgres{c.standby, c.leader} {
		if p != nil {
			_ = p.remove()
		}
	}
	c.world.close()
}

// restart stops a replica and starts it again, by that program. haproxy leads nobody to it meanwhile: it
// looks at a replica only so often.
func (c *cluster) restart(ctx context.Context, number int, program string) (err error) {
	n := c.nodes[number]
	if err := c.lead(number, "drain"); err != nil {
		return err
	}
	rest(ctx, 200*time.Millisecond) // for what haproxy has sent already
	n.replica.stop()
	if n.replica, err = startReplica(ctx, program, n.config); err != nil {
		return err
	}
	if err := c.ready(ctx, n.metrics); err != nil {
		return err
	}
	return c.lead(number, "ready")
}

func (c *cluster) socket() string { return filepath.Join(c.dir, "haproxy.sock") }

// lead tells haproxy whether to lead people to a replica.
func (c *cluster) lead(number int, state string) error {
	conn, err := net.Dial("unix", c.socket())
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "set server replicas/r%d state %s\n", number, state); err != nil {
		return err
	}
	said, err := io.ReadAll(conn)
	if err == nil && strings.TrimSpace(string(said)) != "" {
		err = fmt.Errorf("haproxy: %s", said)
	}
	return err
}

// ready waits until readyz there says so.
func (c *cluster) ready(ctx context.Context, where string) error {
	for {
		body, status := c.readyz(ctx, where)
		if status == http.StatusOK {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("a replica does not get ready: %d %v: %w", status, body, ctx.Err())
		}
		rest(ctx, 100*time.Millisecond)
	}
}

func (c *cluster) readyz(ctx context.Context, where string) (body map[string]any, status int) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+where+"/readyz", nil)
	if err != nil {
		return nil, 0
	}
	req.Host = publicHost
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0
	}
	defer res.Body.Close()
	_ = json.NewDecoder(res.Body).Decode(&body)
	return body, res.StatusCode
}

// failOver kills the database and promotes its standby.
func (c *cluster) failOver(ctx context.Context) error {
	return errors.Join(c.leader.stop(ctx, "immediate"), c.standby.promote(ctx))
}
