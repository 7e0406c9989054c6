package bridge

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"vexa-sso/config"
)

// certificate is the listener's TLS certificate, as last read.
type certificate struct {
	files   config.TLS
	current atomic.Pointer[tls.Certificate]
}

func loadCertificate(files config.TLS) (*certificate, error) {
	c := &certificate{files: files}
	return c, c.reload()
}

// reload reads the files again. After an error the old certificate stays.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}
