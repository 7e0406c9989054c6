package oidc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	connectTimeout = 3 * time.Second
	defaultTimeout = 10 * time.Second

	// maxBody bounds every answer of a provider, after decompression, in bytes.
	maxBody = 1 << 20
	// maxCAFile bounds the private CA's file, in bytes.
	maxCAFile = 1 << 20
)

// newHTTPClient makes the client for every call to one provider. It goes only where the configuration and the
// provider's own discovery document point: redirects are not followed, no cookies are kept, and the proxy
// variables of the environment are not consulted.
func newHTTPClient(cfg Config, log *slog.Logger) (*http.Client, error) {
	t := &transport{caFile: cfg.CAFile, log: log}
	if cfg.ProxyURL != "" {
		u, err := url.Parse(cfg.ProxyURL)
		if err != nil {
			return nil, errors.New("proxy_url is not a URL")
		}
		t.proxy = http.ProxyURL(u)
	}
	if err := t.reload(); err != nil {
		return nil, err
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return &http.Client{
		Transport:     t,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// transport bounds every body, and follows changes of the private CA's file without a restart.
type transport struct {
	caFile string
	proxy  func(*http.Request) (*url.URL, error)
	log    *slog.Logger

	mu   sync.Mutex
	pem  []byte
	base *http.Transport
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.reload(); err != nil {
		// What was trusted before stays trusted; a file that is half written is no reason to stop.
		t.log.Warn("private CA not read again: the one read before stays in use", "error", err,
			"remedy", "Make ca_file a readable file of PEM certificates.")
	}
	res, err := t.current().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxBody)
	return res, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the connections.
func (t *transport) CloseIdleConnections() { t.current().CloseIdleConnections() }

func (t *transport) current() *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.base
}

// reload reads the CA file and, when it has changed, starts over with new connections.
func (t *transport) reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.base != nil && t.caFile == "" {
		return nil
	}
	pem, roots, err := readCAFile(t.caFile)
	if err != nil {
		return err
	}
	if t.base != nil {
		if bytes.Equal(pem, t.pem) {
			return nil
		}
		defer t.base.CloseIdleConnections()
	}
	t.pem, t.base = pem, &http.Transport{
		Proxy:                  t.proxy,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
	return nil
}

// readCAFile returns the system's roots and those of the file; nil roots, the system's alone, without a file.
func readCAFile(name string) (pem []byte, roots *x509.CertPool, err error) {
	if name == "" {
		return nil, nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the private CA: %w", err)
	}
	defer f.Close()
	pem, err = io.ReadAll(io.LimitReader(f, maxCAFile))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the private CA: %w", err)
	}
	roots, err = x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("the private CA in %s holds no PEM certificate", name)
	}
	return pem, roots, nil
}

// answer is a provider's answer, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get fetches url as JSON. It sends no header that is not named here or in extra.
func get(ctx context.Context, client *http.Client, url string, extra http.Header) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range extra {
		req.Header[name] = values
	}
	return send(client, req)
}

func send(client *http.Client, req *http.Request) (*answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", req.URL.Redacted(), err)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

// retryAfter reads how long the provider asks us to wait: Retry-After in seconds or as a date (RFC 9110,
// section 10.2.3), or Okta's X-Rate-Limit-Reset in epoch seconds. Zero when it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 5 * time.Minute
	wait := time.Duration(0)
	if v := h.Get("Retry-After"); v != "" {
		if seconds, err := strconv.Atoi(v); err == nil {
			wait = time.Duration(min(seconds, int(most/time.Second))) * time.Second
		} else if at, err := http.ParseTime(v); err == nil {
			wait = at.Sub(now)
		}
	} else if v := h.Get("X-Rate-Limit-Reset"); v != "" {
		if at, err := strconv.ParseInt(v, 10, 64); err == nil {
			wait = time.Unix(at, 0).Sub(now)
		}
	}
	return min(max(wait, 0), most)
}
