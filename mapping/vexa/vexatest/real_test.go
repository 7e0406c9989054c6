package vexatest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

// What the real services were seen to answer after the recordings were made.

func TestWebhookOf010IsClearedByAdminsOnly(t *testing.T) {
	t.Parallel()
	s, c := startFor(t, Generation010)
	user := s.AddUser("a@example.com", "")
	key := s.AddToken(user.ID, "", 0, "bot").Secret
	put := func(body string) (int, string) {
		return c.do("PUT", s.GatewayURL+"/user/webhook", body, "X-API-Key", key)
	}
	status, body := put(`{"webhook_url":"https://hook.example","webhook_events":{"meeting.completed":true}}`)
	if status != http.StatusOK || !strings.Contains(body, `"webhook_url":"https://hook.example/"`) {
		t.Fatal(status, body)
	}
	for _, refused := range []struct{ body, kind string }{
		{`{"webhook_url":""}`, "url_parsing"},
		{`{"webhook_url":null}`, "url_type"},
		{`{}`, "missing"},
		{`{"webhook_url":"ftp://x.example"}`, "url_scheme"},
	} {
		if status, body := put(refused.body); status != http.StatusUnprocessableEntity ||
			!strings.Contains(body, `"type":"`+refused.kind+`"`) {
			t.Errorf("%s: %d %s", refused.body, status, body)
		}
	}
	if status, _ := c.gateway("GET", "/user/webhook", key); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /user/webhook: %d", status)
	}
	status, body = c.do("PATCH", fmt.Sprintf("%s/admin/users/%d", s.AdminURL, user.ID),
		`{"data":{"webhook_url":null}}`, "X-Admin-API-Key", DefaultAdminToken)
	if status != http.StatusOK || !strings.Contains(body, `"webhook_url":null`) ||
		!strings.Contains(body, `"meeting.completed":true`) {
		t.Errorf("it does not merge: %d %s", status, body)
	}
}

func TestRoutesThatOnly010Has(t *testing.T) {
	t.Parallel()
	s, c := startFor(t, Generation010)
	key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx").Secret
	c.do("POST", s.GatewayURL+"/bots", `{"platform":"zoom","native_meeting_id":"1"}`, "X-API-Key", key)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/bots/zoom/1/screen", `{"type":"url","url":"https://x.example"}`, 202, "Screen content"},
		{"DELETE", "/bots/zoom/1/screen", "", 202, "Screen stop command sent"},
		{"PUT", "/bots/zoom/1/avatar", `{"url":"https://x.example/a.png"}`, 202, "Avatar set command sent"},
		{"DELETE", "/bots/zoom/1/avatar", "", 202, "Avatar reset command sent"},
		{"DELETE", "/bots/zoom/1/speak", "", 202, "Speak stop command sent"},
		{"DELETE", "/bots/zoom/2/speak", "", 404, `{"detail":"No active meeting found for zoom/2"}`},
		{"DELETE", "/bots/zoom/2", "", 404, `{"detail":"No meeting found to stop."}`},
		{"PUT", "/recording-config", `{"enabled":false}`, 200, `{"enabled":false}`},
		{"GET", "/recording-config", "", 200, `{"enabled":false,"capture_modes":["audio"]}`},
	} {
		status, body := c.do(test.method, s.GatewayURL+test.path, test.body, "X-API-Key", key)
		if status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: %d %s", test.method, test.path, status, body)
		}
	}
}

func TestEveryAnswerOf010SaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	s, _ := startFor(t, Generation010)
	for _, path := range []string{"/auth/me", "/nothing", "/admin/users"} {
		r, err := http.Get(s.GatewayURL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.Header.Get("X-RateLimit-Remaining") == "" || r.Header.Get("X-RateLimit-Limit") == "" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
}

func TestAllowNamesTheMethodsOfOneDeclaration(t *testing.T) {
	t.Parallel()
	s, _ := startFor(t, Generation012)
	for path, allow := range map[string]string{
		"/bots": "GET", "/agent/x": "DELETE, GET, PATCH, POST, PUT", "/mcp": "GET",
	} {
		r, err := http.DefaultClient.Do(must(http.NewRequest("TRACE", s.GatewayURL+path, nil)))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != allow {
			t.Errorf("%s: %d, Allow %q", path, r.StatusCode, r.Header.Get("Allow"))
		}
	}
}

func must(r *http.Request, _ error) *http.Request { return r }

func TestIDsAreReadAsPythonReadsThem(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		user := s.AddUser("a@example.com", "")
		for id, want := range map[string]int{
			"1": 200, "1.0": 200, "01": 200, "+1": 200, "1.5": 422, "1e0": 422, "1.": 422, "_1": 422,
		} {
			status, _ := c.do("GET", s.AdminURL+"/admin/users/"+id, "", "X-Admin-API-Key", DefaultAdminToken)
			if status != want || user.ID != 1 {
				t.Errorf("%s: %d, want %d", id, status, want)
			}
		}
	})
}

// The caller is authenticated when the header is there: what becomes of the key while the body arrives does
// not matter any more.
func TestBodyIsReadAfterTheKey(t *testing.T) {
	both(t, func(t *testing.T, s *Server, c client) {
		key := s.AddToken(s.AddUser("a@example.com", "").ID, "", 0, "bot", "tx")
		body := `{"webhook_url":"https://hook.example/"}`
		conn, answers := c.dial(s.GatewayURL)
		head := fmt.Sprintf("PUT /user/webhook HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", key.Secret, len(body))
		_, _ = io.WriteString(conn, head+body[:1])
		oidctest.WaitFor(t, "the look at the key", func() bool { return s.Calls().Validations == 1 })
		_, _ = io.WriteString(conn, body[1:])
		if r, err := http.ReadResponse(answers, nil); err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(r, err)
		}

		// And a bad key is refused before there is a body.
		conn, answers = c.dial(s.GatewayURL)
		_, _ = io.WriteString(conn, strings.Replace(head, key.Secret, "vxa_bot_none", 1))
		if r, err := http.ReadResponse(answers, nil); err != nil || r.StatusCode != http.StatusUnauthorized {
			t.Fatal(r, err)
		}
	})
}

func startFor(t *testing.T, generation string) (*Server, client) {
	s := Start(t, Generation(generation))
	return s, newClient(t, s)
}

func (c client) dial(url string) (net.Conn, *bufio.Reader) {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

func TestRoutinesOf012(t *testing.T) {
	t.Parallel()
	s, c := startFor(t, Generation012)
	user := s.AddUser("a@example.com", "")
	key := s.AddToken(user.ID, "", 0, "bot").Secret
	s.AddRoutineFile(user.ID, "morning")
	ask := func(method, path, body string, want int) string {
		t.Helper()
		status, said := c.do(method, s.GatewayURL+"/agent/routines"+path, body, "X-API-Key", key)
		if status != want {
			t.Fatal(method, path, status, said)
		}
		return said
	}
	ask("POST", "", `{"name":"noon","cron":"0 12 * * *","prompt":"x"}`, http.StatusCreated)
	all := s.db.routines
	s.RevokeToken(1)
	if ran := s.RunRoutines(user.ID); len(ran) != 2 { // without any key
		t.Fatal(ran)
	}
	key = s.AddToken(user.ID, "", 0, "bot").Secret
	ask("PATCH", "/noon/enabled", `{"enabled":false}`, http.StatusNotFound) // it has no file
	ask("DELETE", "/"+all[1].id, "", http.StatusOK)
	ask("DELETE", "/"+all[0].id, "", http.StatusOK)
	if ran := s.RunRoutines(user.ID); len(ran) != 1 { // its file brings it back
		t.Fatal(ran)
	}
	ask("PATCH", "/morning/enabled", `{"enabled":false}`, http.StatusOK)
	if said := ask("GET", "", "", http.StatusOK); !strings.Contains(said, `"enabled":false`) {
		t.Error(said)
	}
	if ran := s.RunRoutines(user.ID); len(ran) != 0 {
		t.Error(ran)
	}
}
