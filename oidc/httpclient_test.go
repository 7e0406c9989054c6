package oidc

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func httpClient(t *testing.T, cfg Config) *http.Client {
	t.Helper()
	c, err := newHTTPClient(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func writeCA(t *testing.T, file string, s *httptest.Server) {
	t.Helper()
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// quietTLS is a TLS server that does not log handshakes that fail.
func quietTLS(t *testing.T, versions *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = versions
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// A private CA is trusted as soon as its file has it, without a restart; a file that breaks changes nothing.
func TestPrivateCA(t *testing.T) {
	t.Parallel()
	s := quietTLS(t, nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	other := []byte("-----BEGIN CERTIFICATE-----\n")
	f := newIDP(t) // for a certificate of somebody else
	key := newSigner(0, "x").withCertificate()
	_ = f
	der := key.extra["x5c"].([]string)[0]
	other = append(other, []byte(der+"\n-----END CERTIFICATE-----\n")...)
	if err := os.WriteFile(file, other, 0o600); err != nil {
		t.Fatal(err)
	}
	c := httpClient(t, Config{CAFile: file})
	if _, err := get(t.Context(), c, s.URL, nil); err == nil {
		t.Fatal("a server of an unknown CA is trusted")
	}
	writeCA(t, file, s)
	if _, err := get(t.Context(), c, s.URL, nil); err != nil {
		t.Fatalf("after the file has the CA: %v", err)
	}
	for _, broken := range []func() error{
		func() error { return os.WriteFile(file, []byte("half"), 0o600) },
		func() error { return os.Remove(file) },
	} {
		if err := broken(); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t.Context(), c, s.URL, nil); err != nil {
			t.Errorf("after the file broke: %v", err)
		}
	}
}

func TestTLSVersion(t *testing.T) {
	t.Parallel()
	s := quietTLS(t, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	file := filepath.Join(t.TempDir(), "ca.pem")
	writeCA(t, file, s)
	if _, err := get(t.Context(), httpClient(t, Config{CAFile: file}), s.URL, nil); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// Nothing goes where the configuration does not say: the environment's proxy is not asked.
func TestProxyIsTheConfiguredOneAlone(t *testing.T) {
	var visits []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits = append(visits, r.URL.String())
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := "http://" + refusing.Addr().String()
	if err := refusing.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context(), httpClient(t, Config{}), target, nil); err == nil || len(visits) != 0 {
		t.Errorf("%v, the environment's proxy saw %q", err, visits)
	}
	transport := httpClient(t, Config{}).Transport.(*transport)
	if transport.current().Proxy != nil {
		t.Error("there is a proxy that nobody configured")
	}
	res, err := get(t.Context(), httpClient(t, Config{ProxyURL: proxy.URL}), "http://idp.example/x", nil)
	if err != nil || res.status != http.StatusTeapot || len(visits) != 1 ||
		visits[0] != "http://idp.example/x" {
		t.Errorf("%+v, %v, the configured proxy saw %q", res, err, visits)
	}
}

func TestClientKeepsNoCookiesAndFollowsNothing(t *testing.T) {
	t.Parallel()
	var cookies int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies += len(r.Cookies())
		http.SetCookie(w, &http.Cookie{Name: "fpc", Value: "x"})
		http.Redirect(w, r, "/next", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	c := httpClient(t, Config{})
	for range 2 {
		res, err := get(t.Context(), c, s.URL, nil)
		if err != nil || res.status != http.StatusFound {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if cookies != 0 {
		t.Errorf("%d cookies came back", cookies)
	}
}

// F8, S12
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(endless))
	t.Cleanup(s.Close)
	res, err := httpClient(t, Config{}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	var tooLarge *http.MaxBytesError
	if n > maxBody || !errors.As(err, &tooLarge) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestCallsTimeOut(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hang) })
	if _, err := get(t.Context(), httpClient(t, Config{Timeout: 10 * time.Millisecond}),
		s.URL, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if got := httpClient(t, Config{}).Timeout; got != 10*time.Second {
		t.Errorf("default timeout %v", got)
	}
}

func TestCloseStopsWhatRuns(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	begin(t, p, BeginOptions{})
	arrived := make(chan struct{})
	f.answer(wellKnown, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // until the client hangs up
	})
	f.clock.Advance(time.Hour)
	begin(t, p, BeginOptions{})
	<-arrived
	p.Close()
	if n := p.discovery.backoff.failures; n != 1 { // no lock: nothing runs any more
		t.Errorf("Close returned with the refresh under way: %d have failed", n)
	}
	f.clock.Advance(100 * time.Hour)
	_, _, err := p.Begin(context.Background(), BeginOptions{})
	refused(t, err, CodeProviderUnavailable)
	p.Close()
}
