package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
	"vexa-sso/proxy/upstream"
)

// BenchmarkForward measures the road that every request takes: through the bridge with each kind of
// credential that it knows already (cookie, token, bearer), and with an access token that nobody has seen
// (bearer-cold), through a bare httputil.ReverseProxy with the same transport, and, where it is installed,
// through nginx. They take turns in one run, so that they can be compared with each other, and with nothing
// else. CPU time is that of the whole process (and of nginx), less what client and gateway take without any
// proxy between them. The target for what is warm is at most 1.10 times the bare proxy's CPU time and 15
// allocations more (four of them so that a revocation can end a request: its own context), and at most 1.10
// times each other's.
func BenchmarkForward(b *testing.B) {
	gateway := startUpstream(b)
	w := proxytest.Start(b, proxytest.TakingBearers, func(o *proxytest.Options) {
		o.LogLevel, o.Gateway = slog.LevelInfo, "http://"+gateway
	})
	cookie := "Cookie: " + w.SignIn(oidctest.Ada).Cookie()
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	unseen := make([]string, 50)
	for i := range unseen {
		unseen[i] = "Authorization: Bearer " +
			w.Okta.Sign(w.BearerClaims(oidctest.Ada).With("jti", fmt.Sprint(i)))
	}
	forget := func() { w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeEverything}) }

	target, err := url.Parse("http://" + gateway)
	proxytest.Must(b, err)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Transport: upstream.NewTransport(), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	b.Cleanup(bare.Close)

	roads := map[string]*road{
		"direct":      newRoad(b, gateway, gateway, cookie),
		"bare":        newRoad(b, strings.TrimPrefix(bare.URL, "http://"), gateway, cookie),
		"cookie":      newRoad(b, w.Host, w.Host, cookie),
		"token":       newRoad(b, w.Host, w.Host, "X-API-Key: "+token),
		"bearer":      newRoad(b, w.Host, w.Host, "Authorization: Bearer "+w.Bearer(oidctest.Ada)),
		"bearer-cold": newRoad(b, w.Host, w.Host, unseen...),
	}
	roads["bearer-cold"].begins = forget
	if nginx := startNginx(b, gateway); nginx != nil {
		roads["nginx"] = newRoad(b, nginx.address, gateway, cookie)
		roads["nginx"].other = nginx.cpu
	}
	for _, r := range roads {
		r.run(200) // warm
		r.cpu, r.mallocs, r.done = 0, 0, 0
	}
	warm := []string{"cookie", "token", "bearer"}

	const turn = 50
	order := slices.Sorted(maps.Keys(roads))
	b.ResetTimer()
	for left := b.N; left > 0; left -= turn {
		order = append(order[1:], order[0]) // nobody always pays for what the same one left behind
		for _, name := range order {
			r := roads[name]
			if slices.Contains(warm, name) {
				r.once(0) // again, after the cold ones
			}
			r.run(min(turn, left))
		}
	}
	b.StopTimer()
	direct := roads["direct"]
	over := func(r *road) float64 { return r.cpuPerRequest() - direct.cpuPerRequest() }
	b.ReportMetric(0, "ns/op") // of all of them together: says nothing
	for name, r := range roads {
		if r != direct {
			b.ReportMetric(over(r), name+"-cpu-ns/op")
		}
	}
	b.ReportMetric(roads["bare"].mallocsPerRequest(), "bare-allocs/op")
	for _, name := range warm {
		b.ReportMetric(over(roads[name])/over(roads["bare"]), name+"-cpu-ratio")
		b.ReportMetric(roads[name].mallocsPerRequest()-roads["bare"].mallocsPerRequest(), name+"-allocs-more")
	}
}

// upstreamAnswer is what the gateway says to everything.
var upstreamAnswer = func() []byte {
	body := `{"meetings":[` + strings.Repeat(`{"id":1,"platform":"google_meet"},`, 30) + `{}],"end":true}`
	return fmt.Appendf(nil,
		"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
}()

var answerEnd = []byte(`"end":true}`)

// startUpstream answers requests without a body, and does as little as can be done, so that
// it is not what is measured.
func startUpstream(b *testing.B) string {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	proxytest.Must(b, err)
	b.Cleanup(func() { on.Close() })
	go func() {
		for {
			conn, err := on.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 16<<10)
				for n := 0; ; {
					more, err := conn.Read(buf[n:])
					if err != nil {
						return
					}
					if n += more; bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						n = 0
						if _, err := conn.Write(upstreamAnswer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return on.Addr().String()
}

// road is a way from a client to the gateway, and what it has cost.
type road struct {
	b        *testing.B
	conn     net.Conn
	requests [][]byte // that take turns
	begins   func()   // before each round of them; optional
	buf      []byte
	other    func() time.Duration // CPU time of another process on the way

	cpu     time.Duration
	mallocs uint64
	done    int
}

// requestSize is about how many bytes each request has: as many as one with an access token.
const requestSize = 2000

func newRoad(b *testing.B, address, host string, credentials ...string) *road {
	conn, err := net.Dial("tcp", address)
	proxytest.Must(b, err)
	b.Cleanup(func() { conn.Close() })
	const request = "GET /bots HTTP/1.1\r\nUser-Agent: bench\r\nAccept: application/json\r\nAccept-Language: de-AT,de;q=0.9\r\nSec-Fetch-Site: same-origin\r\n"
	r := &road{b: b, conn: conn, buf: make([]byte, 16<<10)}
	for _, credential := range credentials {
		start := request + "Host: " + host + "\r\n" + credential + "\r\nCookie: other="
		// nobody has fewer bytes to read
		r.requests = append(r.requests, []byte(start+strings.Repeat("x", requestSize-len(start))+"\r\n\r\n"))
	}
	return r
}

func (r *road) run(n int) {
	cpu, mallocs := r.spent()
	for i := range n {
		r.once(i)
	}
	cpuNow, mallocsNow := r.spent()
	r.cpu += cpuNow - cpu
	r.mallocs += mallocsNow - mallocs
	r.done += n
}

// once sends one request and reads its answer.
func (r *road) once(i int) {
	turn := i % len(r.requests)
	if turn == 0 && r.begins != nil {
		r.begins()
	}
	_, err := r.conn.Write(r.requests[turn])
	proxytest.Must(r.b, err)
	for got := 0; !bytes.HasSuffix(r.buf[:got], answerEnd); {
		more, err := r.conn.Read(r.buf[got:])
		if err == io.EOF || (got == 0 && !bytes.HasPrefix(r.buf, []byte("HTTP/1.1 200"))) {
			r.b.Fatalf("answered %q, %v", r.buf[:got+more], err)
		}
		proxytest.Must(r.b, err)
		got += more
	}
}

func (r *road) spent() (time.Duration, uint64) {
	var usage syscall.Rusage
	proxytest.Must(r.b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	spent := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if r.other != nil {
		spent += r.other()
	}
	return spent, mem.Mallocs
}

func (r *road) cpuPerRequest() float64     { return float64(r.cpu.Nanoseconds()) / float64(r.done) }
func (r *road) mallocsPerRequest() float64 { return float64(r.mallocs) / float64(r.done) }

// nginx is an nginx that passes everything to the gateway.
type nginx struct {
	address string
	pid     int
}

// cpu is how long it has run, to the nanosecond.
func (n *nginx) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", n.pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
}

// startNginx starts an nginx, or returns nil where there is none.
func startNginx(b *testing.B, gateway string) *nginx {
	program := os.Getenv("VEXA_SSO_TEST_NGINX")
	if program == "" {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		b.Log("without nginx: it is not installed")
		return nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	proxytest.Must(b, err)
	address := free.Addr().String()
	free.Close()
	dir := b.TempDir()
	conf := fmt.Sprintf(`master_process off; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 64; }
http {
  access_log %[1]s/access.log; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  keepalive_requests 1000000000;
  upstream vexa { server %[2]s; keepalive 8; keepalive_requests 1000000000; }
  server { listen %[3]s; location / { proxy_pass http://vexa; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-API-Key secret; proxy_set_header Cookie ""; } }
}`, dir, gateway, address)
	proxytest.Must(b, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(program, "-c", filepath.Join(dir, "nginx.conf"))
	proxytest.Must(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	oidctest.WaitFor(b, "nginx to answer", func() bool {
		res, err := http.Get("http://" + address + "/")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
	return &nginx{address, cmd.Process.Pid}
}
