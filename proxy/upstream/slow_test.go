package upstream_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// S5, S12: an answer that turns out to last ends with access too, whatever the route table says of its route,
// and events count against the limit.
func TestAnswersThatLast(t *testing.T) {
	t.Parallel()
	gateway := startGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/agent/sessions" {
			w.Header().Set("Content-Type", "text/event-stream")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		io.WriteString(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	w := proxytest.Start(t, func(o *proxytest.Options) {
		o.Gateway, o.Config.Limits.StreamsPerAccount = gateway.URL, 2
	})
	b := w.SignIn("ada@acme.example")
	account := proxytest.AccountOf(t, w, "ada@acme.example")
	var open []*http.Response
	for _, target := range []string{
		"GET /agent/sessions", "GET /agent/sessions", "GET /recordings/1/master",
	} {
		method, path, _ := strings.Cut(target, " ")
		open = append(open, b.Begin(method, path))
	}
	if res := b.Begin("GET", "/agent/sessions"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the third stream of two: %d", res.StatusCode)
	}
	proxytest.Must(t, w.Accounts.Revoke(t.Context(),
		mapping.Revocation{Kind: mapping.RevokeAccount, Account: account, Reason: "left"}, "admin"))
	for _, res := range open {
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, res.Body)
			ended <- err
		}()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("what was cut short looks whole")
			}
		case <-time.After(oidctest.Patience):
			t.Error("an answer goes on after access has ended")
		}
	}
}

// S12: a body that never comes holds nothing for long: not of a stranger, and not at the callback.
func TestBodiesThatNeverCome(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a real deadline")
	}
	t.Parallel()
	w := proxytest.Start(t)
	for _, target := range []string{"POST /bots", "POST /sso/callback/okta", "POST /sso/logout"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", w.Host)
			proxytest.Must(t, err)
			defer conn.Close()
			proxytest.Must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\nx", target, w.Host)
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the connection is held: %v", err)
			}
		})
	}
}

// A body that breaks off or is not framed as its headers say is the client's fault, and not Vexa's.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	cookie := w.SignIn(oidctest.Ada).Cookie()
	for name, body := range map[string]string{
		"a chunk without a size":               "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"a chunk that is longer than its size": "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
		"a second chunk without a size":        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nq\r\n",
	} {
		res := w.Raw(w.Fill("POST /bots HTTP/1.1\r\nHost: {host}\r\nOrigin: {public}\r\nCookie: {cookie}\r\n"+
			"Content-Type: application/json\r\n"+body, cookie, ""))
		if res.Status != http.StatusBadRequest || res.Code() != "bad_request" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

// The server's write timeout is for answers of ours: what is Vexa's lasts, and a refusal after a long wait
// for Vexa is still told.
func TestWriteTimeoutIsForOurAnswers(t *testing.T) {
	t.Parallel()
	goesOn := make(chan struct{})
	gateway := startGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bots" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-goesOn:
		case <-r.Context().Done():
		}
		io.WriteString(w, "data: 2\n\n")
	})
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = gateway.URL })
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	w.Options.WriteTimeout = time.Nanosecond // over before anything is answered
	p := w.Replica().Program()
	if _, err := p.Client.Get(w.Public + "/sso/healthz"); err == nil {
		t.Fatal("the write timeout is not in force")
	}
	if res := p.Get("/bots", "X-API-Key", token); res.Code() != "vexa_unavailable" {
		t.Errorf("a refusal after the wait: %d %s", res.Status, res.Body)
	}
	var open []*http.Response
	for _, target := range []string{"GET /recordings/1/master", "GET /agent/sessions"} {
		method, path, _ := strings.Cut(target, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, w.Public+path, nil)
		proxytest.Must(t, err)
		req.Header.Set("X-API-Key", token)
		res, err := p.Do(req)
		proxytest.Must(t, err)
		defer res.Body.Close()
		open = append(open, res)
	}
	close(goesOn)
	for _, res := range open {
		if text, err := io.ReadAll(res.Body); err != nil || string(text) != "data: 1\n\ndata: 2\n\n" {
			t.Errorf("%s: %q, %v", res.Request.URL.Path, text, err)
		}
	}
}
