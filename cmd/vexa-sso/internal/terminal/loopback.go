package terminal

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// loopback is the redirect URI of a native app (RFC 8252, section 7.3): a listener on this machine that
// answers one navigation, the one with the state of the sign-in that waits for it.
type loopback struct {
	listener net.Listener
	state    string // of the request
	issuer   string // expected iss

	mu      sync.Mutex
	taken   bool
	answers chan answer
	verdict chan error // result of the code exchange, for the page
}

// answer is the authorization response: a code that is worth nothing without the verifier, which never left
// this process.
type answer struct {
	code string
	err  error
}

// listen listens on a port that the system chooses, on IPv4 or where there is none on IPv6.
func listen(state, issuer string) (*loopback, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		var other error
		if l, other = net.Listen("tcp6", "[::1]:0"); other != nil {
			return nil, fmt.Errorf("listening for the browser's return: %w", err)
		}
	}
	return &loopback{
		listener: l, state: state, issuer: issuer, answers: make(chan answer, 1),
		verdict: make(chan error, 1),
	}, nil
}

func (l *loopback) redirectURI() string { return "http://" + l.listener.Addr().String() + "/callback" }

// serve serves until ctx ends, and lets the last page go out.
func (l *loopback) serve(ctx context.Context, done chan<- struct{}) {
	server := &http.Server{
		Handler:           l,
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // browsers open connections that they don't use
	}
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
		close(done)
	})
	server.Serve(l.listener)
}

// ServeHTTP takes the one navigation that we wait for. Anything else gets an error page and changes nothing:
// other programs on this machine, and pages in its browsers, can send requests here as well.
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors "+
		"'none'; base-uri 'none'; form-action 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Connection", "close")
	switch {
	case r.Host != l.listener.Addr().String(): // DNS rebinding
		closing(w, http.StatusMisdirectedRequest, "There is nothing here.")
		return
	case r.URL.Path != "/callback":
		closing(w, http.StatusNotFound, "There is nothing here.")
		return
	case r.Method != http.MethodGet:
		closing(w, http.StatusMethodNotAllowed, "There is nothing here.")
		return
	}
	got, mine := l.read(r.URL.RawQuery)
	if !mine {
		closing(w, http.StatusBadRequest, "This is no answer to the sign-in that waits here.")
		return
	}
	if !l.takeOnce() {
		closing(w, http.StatusGone, "This sign-in is over. You can close this window.")
		return
	}
	l.answers <- got
	select {
	case err := <-l.verdict:
		if err != nil {
			closing(w, http.StatusBadRequest,
				"You are not signed in; the terminal says why. You can close this window.")
			return
		}
		closing(w, http.StatusOK, "You are signed in. You can close this window.")
	case <-r.Context().Done():
	}
}

// takeOnce returns true the first time.
func (l *loopback) takeOnce() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.taken
	l.taken = true
	return first
}

// read parses an authorization response (RFC 6749, section 4.1.2; RFC 9207). It is ours if it has our state
// and no parameter is repeated.
func (l *loopback) read(query string) (answer, bool) {
	q, err := url.ParseQuery(query)
	if err != nil || len(query) > 8<<10 {
		return answer{}, false
	}
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(q[name]) > 1 {
			return answer{}, false
		}
	}
	if !same(q.Get("state"), l.state) {
		return answer{}, false
	}
	code, refusal := q.Get("code"), q.Get("error")
	switch {
	case q.Get("iss") != l.issuer:
		return answer{err: fmt.Errorf("the answer came from %q instead of %q, so nothing was sent to either",
			plain(q.Get("iss")), l.issuer)}, true
	case refusal != "":
		e := &oauth2.RetrieveError{ErrorCode: refusal, ErrorDescription: q.Get("error_description")}
		return answer{err: e}, true
	case code == "":
		return answer{err: errors.New("the browser brought no code back")}, true
	}
	return answer{code: code}, true
}

//go:embed closing.html
var closingText string

var closingPage = template.Must(template.New("closing").Parse(closingText))

func closing(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	closingPage.Execute(w, text) // the browser may be gone, and then nobody reads it
}
