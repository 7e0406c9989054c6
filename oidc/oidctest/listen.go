package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"time"
)

// TB is what the Start functions need of a *testing.T. A program uses New… and serves the double itself.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// listener is a socket on the loopback interface whose port is known before the double is made, because
// the double's URLs hold it.
type listener struct {
	socket net.Listener
	base   string
	tls    *tls.Config
	caPEM  []byte
}

// listen opens a port on 127.0.0.1 and calls it localhost: the relying party under test is on
// 127.0.0.1, so the two are different sites, as in life. Of wanted, the base URL that the caller asked
// for, only the path counts.
func listen(wanted string, secure bool) (*listener, error) {
	path, err := url.Parse(wanted)
	if err != nil {
		return nil, fmt.Errorf("reading the base URL %q: %w", wanted, err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on the loopback interface: %w", err)
	}
	l := &listener{socket: socket, base: fmt.Sprintf("http://localhost:%d%s",
		socket.Addr().(*net.TCPAddr).Port, path.Path)}
	if secure {
		l.base = "https" + l.base[len("http"):]
		if l.tls, l.caPEM, err = serverCertificate(); err != nil {
			socket.Close()
			return nil, err
		}
	}
	return l, nil
}

// serve runs the double on the socket until its Close.
func (l *listener) serve(d *Double) {
	server := &http.Server{
		Handler:           d,
		TLSConfig:         l.tls,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that hang up are the tests' business
	}
	socket := l.socket
	if l.tls != nil {
		socket = tls.NewListener(socket, l.tls)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("oidctest: serving %s: %v", l.base, err))
		}
	}()
	d.caPEM = l.caPEM
	d.stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-served
	}
}

// serverCertificate is a certificate for localhost that is its own authority.
func serverCertificate() (*tls.Config, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, fmt.Errorf("generating the TLS key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the TLS certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
