package terminal

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// answerTime is the timeout of a request to a server.
const answerTime = 15 * time.Second

// newClient returns the HTTP client for a server. It follows no redirect: nothing that we ask for has moved
// legitimately, and what we send is worth stealing. The certificates in caFile, unless it is "", are trusted
// besides the system's.
func newClient(caFile string) (*http.Client, error) {
	roots, err := roots(os.Getenv("SSL_CERT_FILE"), caFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: answerTime,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    answerTime,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // one or two requests, and the program ends
		},
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			return &redirectError{to: next.URL.Scheme + "://" + next.URL.Host}
		},
	}, nil
}

// roots returns the trusted certificates. Go reads SSL_CERT_FILE by itself, but not on macOS and Windows.
func roots(files ...string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates to trust: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the certificates to trust: there is none in %s", file)
		}
	}
	return pool, nil
}

// redirectError is the error of a response that is a redirect.
type redirectError struct{ to string }

func (e *redirectError) Error() string {
	return "answered with a redirect to " + plain(e.to) +
		", which is not followed: if that is the right address, sign in to it"
}

// unavailable is the error of a server that could not be reached, or that is overloaded or down. It says
// nothing about what is kept here.
type unavailable struct{ error }

func (e unavailable) Unwrap() error { return e.error }

// Unavailable reports whether an error means that the server could not answer, rather than that it refused.
func Unavailable(err error) bool {
	var u unavailable
	return errors.As(err, &u)
}
