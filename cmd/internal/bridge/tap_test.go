package bridge_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tap stands between a proxy and the bridge and takes down what the proxy sends.
type tap struct {
	address  string
	accepted atomic.Int64
	mu       sync.Mutex
	open     []net.Conn
	away     bool
	taken    []*bytes.Buffer // one for each connection, only its beginning
}

const tapped = 1 << 20 // bytes that are taken down of a connection

func startTap(t *testing.T, bridge string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	p := &tap{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			go p.pass(conn, bridge)
		}
	}()
	return p
}

func (p *tap) pass(from net.Conn, bridge string) {
	defer from.Close()
	to, err := net.Dial("tcp", bridge)
	if err != nil {
		return
	}
	defer to.Close()
	buffer := &bytes.Buffer{}
	p.mu.Lock()
	gone := p.away
	p.open, p.taken = append(p.open, from), append(p.taken, buffer)
	p.mu.Unlock()
	if gone {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(to, io.TeeReader(from, writerFunc(func(b []byte) (int, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			buffer.Write(b[:min(len(b), max(0, tapped-buffer.Len()))])
			return len(b), nil
		})))
		_ = to.(*net.TCPConn).CloseWrite()
	})
	both.Go(func() {
		_, _ = io.Copy(from, to)
		// and no more: what the proxy still sends is read, as the bridge reads it
		_ = from.(*net.TCPConn).CloseWrite()
	})
	both.Wait()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// leave cuts all connections and every new one at once, as when the bridge is not running.
func (p *tap) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for _, conn := range p.open {
		conn.Close()
	}
}

// text is what was taken down.
func (p *tap) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all strings.Builder
	for _, b := range p.taken {
		all.Write(b.Bytes())
	}
	return all.String()
}
