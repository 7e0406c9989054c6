package bridge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"vexa-sso/mapping/vexa/vexatest"
)

// What behind has beside the simulated Vexa. Vexa 0.12 has other routes than those that we
// know, and these are such.
const (
	uploadPath    = "/recordings/upload"
	refusedPath   = "/recordings/refused"
	linesPath     = "/lines"
	cacheablePath = "/cacheable"
)

// behind is a gateway of a simulated Vexa that takes bodies of any size and says what it was asked.
type behind struct {
	url      string
	uploaded atomic.Int64 // bytes
	lines    chan string  // are written on linesPath, each at once

	mu    sync.Mutex
	asked []*http.Request
}

func startBehind(t *testing.T, vexa *vexatest.Server) *behind {
	t.Helper()
	b := &behind{lines: make(chan string)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+uploadPath, b.upload)
	mux.HandleFunc("POST "+refusedPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, `{"detail":"Too large for Vexa"}`)
	})
	mux.HandleFunc("GET "+linesPath, b.write)
	mux.HandleFunc("GET "+cacheablePath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = io.WriteString(w, "{}")
	})
	mux.Handle("/", vexa.GatewayHandler())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asked = append(b.asked, r.Clone(r.Context()))
		b.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	b.url = server.URL
	return b
}

func (b *behind) upload(w http.ResponseWriter, r *http.Request) {
	chunk, total := make([]byte, 32<<10), 0
	for {
		n, err := r.Body.Read(chunk)
		total += n
		b.uploaded.Add(int64(n))
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	fmt.Fprint(w, total)
}

func (b *behind) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	fmt.Fprintln(w, "one")
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case line := <-b.lines:
			fmt.Fprintln(w, line)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// last is the latest request for a path.
func (b *behind) last(path string) *http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.asked) - 1; i >= 0; i-- {
		if b.asked[i].URL.Path == path {
			return b.asked[i]
		}
	}
	return &http.Request{}
}

// requests is how many came.
func (b *behind) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}
