package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// world is what stands around replicas: a provider, a Vexa, a folder with key ring and rules.
type world struct {
	*population
	dir      string
	provider *provider
	vexa     *vexaServer
	servers  []*httptest.Server

	issuer, admin, gateway string
}

const (
	publicHost = "127.0.0.1:4180"
	publicURL  = "http://" + publicHost
	cookieName = "vexa_sso"
)

const document = `
instance: load
public_url: {public}
listen: {listen}
metrics: { listen: {metrics} }
trusted_proxies: [127.0.0.0/8]
vexa: { gateway_url: "{gateway}", admin_url: "{admin}", admin_token: token-of-the-load, generation: "0.12" }
providers:
  - { name: okta, type: okta, issuer: "{issuer}", client_id: {client}, client_secret: {secret},
      scopes: [groups], trusted_domains: [acme.example] }
rules:
  - { name: staff, match: { groups: [{staff}] }, grant: { scopes: [bot, tx], max_concurrent_bots: 2 } }
store: { url: "{store}" }
keyring_file: {ring}
`

// newWorld has so many people, all of whom Vexa knows. The provider takes its time with each token.
func newWorld(seed uint64, accounts int, latency time.Duration) (*world, error) {
	dir, err := os.MkdirTemp("", "vexa-sso-load-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, population: &population{people: people{seed: seed}, now: time.Now()}}
	if w.ring, err = ringAt(w.ringFile()); err != nil {
		return nil, err
	}
	w.issuer = w.serve(func(r http.ResponseWriter, q *http.Request) { w.provider.ServeHTTP(r, q) })
	w.issuer = strings.Replace(w.issuer, "127.0.0.1", "localhost", 1)
	w.org = w.issuer
	if w.provider, err = newProvider(w.people, latency); err != nil {
		return nil, err
	}
	w.vexa = newVexa(w.people, accounts, w.tokenName)
	w.admin = w.serve(w.vexa.admin)
	w.gateway = w.serve(w.vexa.gateway)
	return w, nil
}

func (w *world) serve(handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	w.servers = append(w.servers, s)
	return s.URL
}

func (w *world) close() {
	for _, s := range w.servers {
		s.Close()
	}
	os.RemoveAll(w.dir)
}

// ringFile is the file of the key ring.
func (w *world) ringFile() string { return filepath.Join(w.dir, "keyring.json") }

// configure writes a configuration, with these settings in place of the usual ones, and returns its file.
func (w *world) configure(settings ...string) (string, error) {
	f, err := os.CreateTemp(w.dir, "*.yaml")
	if err != nil {
		return "", err
	}
	defer f.Close()
	usual := []string{
		"{public}", publicURL, "{gateway}", w.gateway, "{admin}", w.admin, "{issuer}", w.issuer + serverPath,
		"{client}", clientID, "{secret}", clientSecret, "{staff}", staffGroup + ", " + entraStaff,
		"{listen}", "127.0.0.1:0", "{metrics}", "127.0.0.1:0", "{ring}", w.ringFile(),
	}
	_, err = strings.NewReplacer(append(settings, usual...)...).WriteString(f, document)
	return f.Name(), err
}

// replica is a process of the program.
type replica struct {
	config  string
	program string
	address string
	metrics string

	cmd   *exec.Cmd
	ended chan struct{}
	err   error

	mu  sync.Mutex
	log []string // its latest lines
}

// start starts a program on a store, and returns when it serves.
func (w *world) start(ctx context.Context, program, store string) (*replica, error) {
	file, err := w.configure("{store}", store)
	if err != nil {
		return nil, err
	}
	return startReplica(ctx, program, file)
}

func startReplica(ctx context.Context, program, config string) (*replica, error) {
	r := &replica{config: config, program: program, ended: make(chan struct{})}
	r.cmd = exec.Command(program, "serve", "--config", config)
	said, err := r.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	r.cmd.Stdout = io.Discard
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	serving := make(chan struct{})
	go r.read(said, serving)
	select {
	case <-serving:
		return r, nil
	case <-r.ended:
		return nil, fmt.Errorf("%s does not serve: %w\n%s", program, r.err, r.said())
	case <-ctx.Done():
		r.kill()
		return nil, fmt.Errorf("%s does not serve: %w\n%s", program, ctx.Err(), r.said())
	}
}

// read keeps the end of the log, and finds out where it listens.
func (r *replica) read(said io.Reader, serving chan struct{}) {
	lines := bufio.NewScanner(said)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(`"msg":"request"`)) {
			continue
		}
		var line struct{ Msg, Listen, Metrics string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		r.mu.Lock()
		if line.Msg == "listening" {
			r.address, r.metrics = line.Listen, line.Metrics
		}
		r.log = append(r.log, lines.Text())
		r.log = r.log[max(0, len(r.log)-20):]
		r.mu.Unlock()
		if line.Msg == "serving" {
			close(serving)
		}
	}
	r.err = r.cmd.Wait()
	if r.err == nil {
		r.err = errors.New("it ended")
	}
	close(r.ended)
}

func (r *replica) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.log, "\n")
}

// stop ends it as an admin does, and waits for that.
func (r *replica) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(30 * time.Second):
		r.kill()
	}
}

func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	<-r.ended
}

// cpu is the processor time that it has used.
func (r *replica) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var user, system int64
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) > 12 {
		fmt.Sscan(fields[11], &user)
		fmt.Sscan(fields[12], &system)
	}
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}

// command runs a command of the program, and returns what it used and took.
func (r *replica) command(ctx context.Context, args ...string) (c ran, err error) {
	cmd := exec.CommandContext(ctx, r.program, append(args, "--config", r.config)...)
	var wrong strings.Builder
	out := counter(0)
	cmd.Stdout, cmd.Stderr = &out, &wrong
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return c, err
	}
	ended := make(chan struct{})
	watched := make(chan int64)
	go func() { watched <- greatestSize(cmd.Process.Pid, ended) }()
	err = cmd.Wait()
	c.took, c.wrote = time.Since(began), int(out)
	close(ended)
	c.rss = <-watched
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, wrong.String())
	}
	return c, err
}

// greatestSize watches the greatest resident size of a process, in bytes, until it has ended. What wait4 says
// of it is no less than the size of who started it.
func greatestSize(pid int, ended <-chan struct{}) (bytes int64) {
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, line, ok := strings.Cut(string(text), "VmHWM:"); ok {
			var kib int64
			_, _ = fmt.Sscan(line, &kib)
			bytes = max(bytes, kib<<10)
		}
		select {
		case <-ended:
			return bytes
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// ran is what a command took.
type ran struct {
	took  time.Duration
	rss   int64 // bytes, at most
	wrote int   // bytes
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// client reaches one replica, under the name that people type.
func (r *replica) client() *http.Client { return clientOf(func() string { return r.address }) }

func clientOf(address func() string) *http.Client {
	return &http.Client{
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address())
			},
		},
	}
}
