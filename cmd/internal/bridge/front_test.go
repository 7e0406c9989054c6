package bridge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// clientIP is where clients connect from: the proxy is on 127.0.0.1, and must be told from them.
const clientIP = "127.0.0.7"

// surroundingTimeout is what surrounds the shipped file where a proxy has such a thing: the file
// must not live by defaults.
const surroundingTimeout = time.Second

// front is a proxy that runs with a file of deploy/, in front of a bridge.
type front struct {
	tap   *tap
	log   func() string // all that it logged
	http1 *http.Transport
	http2 *http.Transport
	plain *http.Transport // without TLS
	near  *http.Transport // from where the proxy itself is

	// headWaits says that over HTTP/2 the head of an answer comes with the first bytes of its body, as nginx
	// keeps it back until there is something to send with it.
	headWaits bool
}

// findProxy returns the program, or skips the test.
func findProxy(t *testing.T, name, variable, usual string) string {
	t.Helper()
	for _, program := range []string{os.Getenv(variable), name, usual} {
		if path, err := exec.LookPath(program); program != "" && err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed, and %s names none", name, variable)
	return ""
}

// shipped reads a file of deploy/ and puts ports and paths of this test into it. Each must be there.
func shipped(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", name))
	must(t, err)
	for i := 0; i < len(replace); i += 2 {
		if !bytes.Contains(text, []byte(replace[i])) {
			t.Fatalf("deploy/%s does not say %q", name, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

// startNginx runs nginx with deploy/nginx.conf in surroundings that are against us.
func startNginx(t *testing.T, program, bridge string) *front {
	t.Helper()
	dir, tap := t.TempDir(), startTap(t, bridge)
	cert, key := certificate(t, "vexa.acme.example")
	must(t, os.WriteFile(filepath.Join(dir, "tls.crt"), []byte(cert), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "tls.key"), []byte(key), 0o600))
	tlsPort, plainPort := freePort(t), freePort(t)
	site := shipped(t, "nginx.conf",
		"listen 80;", "listen 127.0.0.1:"+plainPort+";", "listen [::]:80;", "",
		"listen 443 ssl http2;", "listen 127.0.0.1:"+tlsPort+" ssl http2;", "listen [::]:443 ssl http2;", "",
		"127.0.0.1:4180;", tap.address+";",
		"/etc/nginx/tls/vexa.crt", dir+"/tls.crt", "/etc/nginx/tls/vexa.key", dir+"/tls.key",
		"/var/log/nginx/vexa-sso.log", dir+"/access.log",
	)
	must(t, os.WriteFile(filepath.Join(dir, "site.conf"), []byte(site), 0o600))
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log error;
events { worker_connections 256; }
http {
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  client_max_body_size 1m; large_client_header_buffers 4 8k; underscores_in_headers on;
  proxy_buffering on; proxy_request_buffering on; proxy_read_timeout %[2]ds; proxy_buffer_size 4k;
  proxy_cache_path %[1]s/cache keys_zone=surrounding:1m; proxy_cache surrounding; proxy_cache_valid any 10m; proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
  server { listen 127.0.0.1:%[3]s ssl default_server; listen 127.0.0.1:%[4]s default_server; ssl_certificate %[1]s/tls.crt; ssl_certificate_key %[1]s/tls.key; return 410; }
  include %[1]s/site.conf;
}`, dir, surroundingTimeout/time.Second, tlsPort, plainPort)
	must(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(program, "-e", dir+"/error.log", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	log := func() string { return readFile(dir+"/access.log") + readFile(dir+"/error.log") }
	f := run(t, cmd, tap, tlsPort, plainPort, func() string { return cert }, log)
	f.headWaits = true
	return f
}

// startCaddy runs Caddy with deploy/Caddyfile and a certificate of its own making.
func startCaddy(t *testing.T, program, bridge string) *front {
	t.Helper()
	dir, tap := t.TempDir(), startTap(t, bridge)
	tlsPort, plainPort := freePort(t), freePort(t)
	surroundings := fmt.Sprintf(`{
	admin off
	http_port %s
	https_port %s
	default_bind 127.0.0.1
	local_certs
	skip_install_trust
	storage file_system %s/storage
`, plainPort, tlsPort, dir)
	conf := filepath.Join(dir, "Caddyfile")
	must(t, os.WriteFile(conf, []byte(shipped(
		t, "Caddyfile", "\n{\n", "\n"+surroundings, "127.0.0.1:4180 {", tap.address+" {",
	)), 0o600))
	cmd := exec.Command(program, "run", "--config", conf, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	logged := &oidctest.LogBook{}
	cmd.Stderr, cmd.Stdout = logged, logged
	root := func() string { return readFile(dir + "/storage/pki/authorities/local/root.crt") }
	return run(t, cmd, tap, tlsPort, plainPort, root, logged.String)
}

func readFile(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

func freePort(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer free.Close()
	_, port, _ := net.SplitHostPort(free.Addr().String())
	return port
}

// run starts a proxy, which lives as long as the test, and waits until it leads to the bridge.
func run(t *testing.T, cmd *exec.Cmd, tap *tap, tlsPort, plainPort string, roots, log func() string) *front {
	t.Helper()
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	ports := map[string]string{"443": tlsPort, "80": plainPort}
	dial := func(from string) func(ctx context.Context, network, address string) (net.Conn, error) {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return d.DialContext(ctx, network, "127.0.0.1:"+ports[port])
		}
	}
	f := &front{tap: tap, log: log}
	waitFor(t, "the proxy", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", cmd.Path, log())
		default:
		}
		trusted := x509.NewCertPool()
		if !trusted.AppendCertsFromPEM([]byte(roots())) {
			return false
		}
		transport := func(from string, protocols ...string) *http.Transport {
			http2 := len(protocols) > 1
			tr := &http.Transport{
				DialContext:       dial(from),
				TLSClientConfig:   &tls.Config{RootCAs: trusted, NextProtos: protocols},
				ForceAttemptHTTP2: http2, DisableCompression: true,
			}
			t.Cleanup(tr.CloseIdleConnections)
			return tr
		}
		f.http1, f.http2, f.plain = transport(clientIP, "http/1.1"), transport(clientIP, "h2", "http/1.1"),
			transport(clientIP, "http/1.1")
		f.near = transport("127.0.0.1", "http/1.1")
		res, err := (&http.Client{Transport: f.http2}).Get(frontedPublic + "/sso/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return f
}

// raw sends a request as it stands, over TLS and HTTP/1.1.
func (f *fronted) raw(text string) (answer, error) {
	conn, err := f.front.http1.DialContext(f.t.Context(), "tcp", "vexa.acme.example:443")
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	secured := tls.Client(conn, &tls.Config{
		RootCAs: f.front.http1.TLSClientConfig.RootCAs, ServerName: "vexa.acme.example",
		NextProtos: []string{"http/1.1"},
	})
	_ = conn.SetDeadline(time.Now().Add(oidctest.Patience))
	if _, err := io.WriteString(secured, text); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(secured), nil)
	if err != nil {
		return answer{}, err
	}
	return read(f.t, res), nil
}
