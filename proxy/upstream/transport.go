package upstream

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// NewTransport returns the transport to the gateway. uvicorn closes idle connections after 5 s: ours close
// before, or requests would die on them. No proxy from the environment: no call goes where config does not
// name.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{
			Timeout: 3 * time.Second, KeepAlive: 15 * time.Second,
		}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  60 * time.Second,
		IdleConnTimeout:        4 * time.Second,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    512,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// bufferPool is an httputil.BufferPool that saves an allocation of 32 KiB a request. It keeps arrays: a
// pointer to one goes into the pool without an allocation of its own.
type bufferPool struct{ pool sync.Pool }

type buffer [32 << 10]byte

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new(buffer) }}}
}

func (b *bufferPool) Get() []byte  { return b.pool.Get().(*buffer)[:] }
func (b *bufferPool) Put(v []byte) { b.pool.Put((*buffer)(v)) }
