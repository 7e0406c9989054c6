package vexatest

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// open opens an event stream and returns its lines.
func (c client) open(ctx context.Context, method, path, key string) (*http.Response, *bufio.Scanner) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, c.s.GatewayURL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", key)
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer, bufio.NewScanner(answer.Body)
}

func (c client) lines(scanner *bufio.Scanner, want ...string) {
	c.t.Helper()
	for _, line := range want {
		if !scanner.Scan() || scanner.Text() != line {
			c.t.Fatalf("%q, not %q (%v)", scanner.Text(), line, scanner.Err())
		}
	}
}

func TestLongStreams(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := newClient(t, s)
	c.http.Timeout = 0
	key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx")
	ctx, leave := context.WithCancel(deadline(t))
	_, live := c.open(ctx, "GET", "/agent/meeting/stream", key.Secret)
	c.lines(live, "event: ready", "data: {}", "")
	answer, tools := c.open(ctx, "GET", "/mcp", key.Secret)
	if answer.Header.Get("Mcp-Session-Id") == "" ||
		!strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%v", answer.Header)
	}
	if err := s.WaitStreams(ctx, "", 2); err != nil {
		t.Fatal(err)
	}
	s.RevokeToken(key.ID) // which ends no stream
	if s.Emit("/agent/meeting/stream", "note", "one\ntwo") != 1 || s.Emit("/mcp", "", "{}") != 1 {
		t.Error("not emitted")
	}
	c.lines(live, "event: note", "data: one", "data: two", "")
	c.lines(tools, "data: {}", "")
	leave()
	if err := s.WaitStreams(deadline(t), "", 0); err != nil {
		t.Error(err)
	}
}

func TestChatIn010AsksForNoKey(t *testing.T) {
	t.Parallel()
	s := Start(t, Generation(Generation010))
	c := newClient(t, s)
	status, body := c.do("POST", s.GatewayURL+"/api/chat", `{"message":"hello"}`)
	if status != 200 || !strings.Contains(body, `data: {"delta":"hello"}`) ||
		!strings.Contains(body, "event: done") {
		t.Errorf("%d %s", status, body)
	}
}

func TestSocketOfAStoppedMeeting(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		ctx := deadline(t)
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
		other := s.AddToken(s.AddUser("b@example.com", "").ID, "", 0, "bot", "tx").Secret
		status, body := c.do("POST", s.GatewayURL+"/bots",
			`{"platform":"google_meet","native_meeting_id":"m"}`, "X-API-Key", key)
		if status != 201 {
			t.Fatal(status, body)
		}
		subscribe := func(key string) (*websocket.Conn, string) {
			conn, _, err := websocket.Dial(ctx, s.GatewayURL+"/ws?api_key="+key, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Write(ctx, websocket.MessageText,
				[]byte(`{"action":"subscribe","meetings":[{"platform":"google_meet","native_id":"m"}]}`))
			_, text, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return conn, string(text)
		}
		mine, said := subscribe(key)
		if !strings.HasPrefix(said, `{"type": "subscribed"`) {
			t.Error(said)
		}
		theirs, said := subscribe(other)
		if !strings.Contains(said, "not authorized or not found") {
			t.Error(said)
		}
		if n := s.Publish("google_meet", "m", `{"type":"transcript"}`); n != 1 {
			t.Errorf("%d subscribers", n)
		}
		if _, text, err := mine.Read(ctx); err != nil || string(text) != `{"type":"transcript"}` {
			t.Errorf("%s %v", text, err)
		}
		_ = theirs.CloseNow()
		if err := s.WaitStreams(ctx, "/ws", 1); err != nil {
			t.Error(err)
		}
		s.Close() // ends what is open
		if _, _, err := mine.Read(ctx); err == nil {
			t.Error("still open")
		}
	})
}

// What a stopped bot leaves can be fetched in parts.
func TestRecordingInParts(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
		c.do("POST", s.GatewayURL+"/bots", `{"platform":"zoom","native_meeting_id":"1"}`, "X-API-Key", key)
		if status, body := c.gateway("DELETE", "/bots/zoom/1", key); status/100 != 2 {
			t.Fatal(status, body)
		}
		for asked, want := range map[string]struct {
			status int
			body   string
		}{
			"bytes=1-3":        {206, "\x01\x02\x03"},
			"bytes=-2":         {206, "\x0e\x0f"},
			"bytes=9998-":      {206, "\x0e\x0f"},
			"bytes=9999-99999": {206, "\x0f"},
			"bytes=10000-":     {416, ""},
			"bytes=5-1":        {416, ""},
		} {
			status, body := c.do("GET", s.GatewayURL+"/recordings/1/media/1/raw", "",
				"X-API-Key", key, "Range", asked)
			if status != want.status || body != want.body {
				t.Errorf("%s: %d %q", asked, status, body)
			}
		}
		if status, body := c.gateway("GET", "/recordings/1/media/1/raw", key); status != 200 ||
			len(body) != 10000 {
			t.Errorf("whole: %d, %d bytes", status, len(body))
		}
	})
}

func TestMCPAnswers(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
		const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize",` +
			`"params":{"protocolVersion":"2025-06-18"}}`
		for ask, want := range map[string]string{
			initialize: `"protocolVersion":"2025-06-18"`,
			`{"jsonrpc":"2.0","id":"a","method":"ping"}`:     `{"jsonrpc":"2.0","id":"a","result":{}}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`: `"name":"list_meetings"`,
			`{"jsonrpc":"2.0","id":3,"method":"nope"}`:       `"code":-32601`,
		} {
			if status, body := c.do("POST", s.GatewayURL+"/mcp", ask, "X-API-Key", key); status != 200 ||
				!strings.Contains(body, want) {
				t.Errorf("%s: %d %s", ask, status, body)
			}
		}
		if status, body := c.do("POST", s.GatewayURL+"/mcp",
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`, "X-API-Key", key); status != 202 ||
			body != "" {
			t.Errorf("%d %s", status, body)
		}
	})
}

// A time without microseconds is written without them, and an expiry is a lifetime after the creation.
func TestTimesOfTokens(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	s := Start(t, Generation(Generation010), Clock(func() time.Time { return now }))
	s.AddUser("a@example.com", "")
	_, body := newClient(t, s).admin("POST", "/admin/users/1/tokens?expires_in=90", "")
	if !strings.HasSuffix(body,
		`"created_at":"2026-11-23T01:02:03","last_used_at":null,"expires_at":"2026-11-23T01:03:33"}`) {
		t.Error(body)
	}
	if token := s.Tokens()[0]; !token.ExpiresAt.Equal(now.Add(90 * time.Second)) {
		t.Errorf("%+v", token)
	}
}

// A tool of the MCP service calls the gateway back with the key of the call, and what it calls is done.
func TestMCPToolsAct(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		user := s.AddUser("a@example.com", "")
		all, reader := s.AddToken(user.ID, "", 0, "bot", "tx").Secret, s.AddToken(user.ID, "", 0, "tx").Secret
		call := func(key, tool, arguments string) string {
			t.Helper()
			ask := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool +
				`","arguments":` + arguments + `}}`
			status, body := c.do("POST", s.GatewayURL+"/mcp", ask, "X-API-Key", key)
			if status != 200 {
				t.Errorf("%s: %d %s", tool, status, body)
			}
			return body
		}
		const bot = `{"platform":"google_meet","native_meeting_id":"abc"}`
		if body := call(reader, "request_meeting_bot", bot); !strings.Contains(body, "Status code: 403") {
			t.Error(body)
		}
		if body := call(all, "request_meeting_bot", bot); !strings.Contains(body, `"isError":false`) {
			t.Error(body)
		}
		made := s.ToolCalls()
		if len(made) != 2 || made[0].Status != 403 || made[1] != (ToolCall{
			"request_meeting_bot", "POST", "/bots", 201,
		}) {
			t.Errorf("%+v", made)
		}
		if body := call(all, "request_meeting_bot", bot); !strings.Contains(body, "already_exists") {
			t.Error(body)
		}
		if made := s.ToolCalls(); len(made) != 2 || made[0].Status != 409 || made[1].Path != "/meetings" {
			t.Errorf("%+v", made)
		}
		if body := call(all, "nope", "{}"); !strings.Contains(body, "Unknown tool") {
			t.Error(body)
		}
		if _, body := c.gateway("GET", "/bots", all); !strings.Contains(body, `"native_meeting_id":"abc"`) {
			t.Errorf("no bot was sent: %s", body)
		}
	})
}
