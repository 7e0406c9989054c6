package storetest

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// Wire is a connection to a server that can be cut, and on which the line can go dead.
type Wire struct {
	URL string // leads through it

	server string
	listen string

	mu       sync.Mutex
	frozen   bool
	listener net.Listener
	open     map[net.Conn]bool
}

// NewWire begins at an address of its own and leads to that of a URL.
func NewWire(t testing.TB, address string) *Wire {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{server: u.Host, listen: "127.0.0.1:0", open: map[net.Conn]bool{}}
	w.Mend()
	w.listen = w.listener.Addr().String()
	u.Host = w.listen
	w.URL = u.String()
	t.Cleanup(w.Cut)
	return w
}

// Mend makes it good again. What was open when the line went dead is closed.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen {
		w.frozen = false
		for c := range w.open {
			c.Close()
		}
		return
	}
	l, err := net.Listen("tcp", w.listen)
	if err != nil {
		panic(err)
	}
	w.listener = l
	go w.serve(l)
}

// Freeze lets the line go dead: nothing comes through, and nothing is refused.
func (w *Wire) Freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

// Cut closes what is open, and refuses what comes.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener.Close()
	for c := range w.open {
		c.Close()
	}
}

func (w *Wire) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.server)
		if err != nil {
			client.Close()
			continue
		}
		w.mu.Lock()
		w.open[client], w.open[server] = true, true
		w.mu.Unlock()
		go w.copy(server, client)
		go w.copy(client, server)
	}
}

func (w *Wire) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		frozen := w.frozen
		w.mu.Unlock()
		if frozen {
			continue // into the void
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
