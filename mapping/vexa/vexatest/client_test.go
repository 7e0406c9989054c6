package vexatest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// client talks to one Server as an administrator and as a user.
type client struct {
	t    *testing.T
	s    *Server
	http *http.Client
}

func newClient(t *testing.T, s *Server) client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return client{t, s, &http.Client{Transport: transport, Timeout: oidctest.Patience}}
}

// do returns the status and the body, or 0 and the error's text. Headers come in pairs.
func (c client) do(method, url, body string, headers ...string) (int, string) {
	return c.doCtx(c.t.Context(), method, url, body, headers...)
}

func (c client) doCtx(ctx context.Context, method, url, body string, headers ...string) (int, string) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

func (c client) admin(method, path, body string) (int, string) {
	return c.do(method, c.s.AdminURL+path, body, "X-Admin-API-Key", DefaultAdminToken,
		"Content-Type", "application/json")
}

func (c client) create(email string) (int, string) {
	return c.admin("POST", "/admin/users", `{"email":"`+email+`"}`)
}

func (c client) mint(user int64) (int, string) {
	return c.admin("POST", fmt.Sprintf("/admin/users/%d/tokens?scopes=bot,tx", user), "")
}

func (c client) gateway(method, path, key string) (int, string) {
	return c.do(method, c.s.GatewayURL+path, "", "X-API-Key", key)
}

// raw writes bytes to the gateway and returns the status of the first answer.
func raw(t *testing.T, url, text string) (net.Conn, int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(oidctest.Patience))
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, answer.StatusCode
}

// both runs a test against each generation.
func both(t *testing.T, test func(*testing.T, *Server, client)) {
	t.Parallel()
	for _, generation := range []string{Generation012, Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			s := Start(t, Generation(generation))
			test(t, s, newClient(t, s))
		})
	}
}

func deadline(t *testing.T) context.Context {
	return oidctest.Within(t)
}
