package bridge

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// boundedListener bounds the open connections (S12): all, and those of each address. Those from trusted
// proxies carry everybody, and have a total of their own. What is beyond a bound is closed before a byte of
// it is read.
type boundedListener struct {
	net.Listener
	most, mostOfOne int
	proxy           func(netip.Addr) bool
	counts          bool // an address is one client's
	log             *slog.Logger

	mu      sync.Mutex
	proxied int                  // connections from trusted proxies
	direct  int                  // all others
	from    map[netip.Prefix]int // of these, by address, where that counts
	warned  time.Time
}

const warnEvery = time.Minute // about refused connections, at most

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			return conn, nil
		}
		release, ok := l.take(tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone(""))
		if ok {
			return &boundedConn{tcp, sync.OnceFunc(release)}, nil
		}
		tcp.Close()
	}
}

// take counts a connection from an address. ok is false where it is one too many.
func (l *boundedListener) take(from netip.Addr) (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proxy(from) {
		if l.proxied >= l.most {
			l.warn("connections from trusted_proxies are refused: there are limits.connections of them", from)
			return nil, false
		}
		l.proxied++
		return l.giveBack(func() { l.proxied-- }), true
	}
	one := addressOf(from)
	switch {
	case l.counts && l.from[one] >= l.mostOfOne:
		l.warn("connections are refused: their address has limits.connections_per_address of them", from)
		return nil, false
	case l.direct >= l.most:
		l.warn("connections are refused: there are limits.connections of them", from)
		return nil, false
	}
	l.direct++
	l.from[one]++
	return l.giveBack(func() {
		l.direct--
		if l.from[one]--; l.from[one] == 0 {
			delete(l.from, one)
		}
	}), true
}

func (l *boundedListener) giveBack(do func()) func() {
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		do()
	}
}

// warn logs a refusal, one a minute.
func (l *boundedListener) warn(what string, from netip.Addr) {
	if now := time.Now(); now.Sub(l.warned) >= warnEvery {
		l.warned = now
		l.log.Warn(what, "address", from.String())
	}
}

// addressOf returns what counts as one address: an IPv6 /64 is one customer's.
func addressOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // fails only for more bits than there are
	return p
}

// boundedConn is a connection that is counted until it is closed. It is a TCP connection in all else: who
// hijacks it half-closes it.
type boundedConn struct {
	*net.TCPConn
	release func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}
