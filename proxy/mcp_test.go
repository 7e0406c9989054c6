package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// toolGrants are the grants of the table, and the tools that each refuses: written down here apart from the
// code, from what the tools were seen to call.
var toolGrants = []struct {
	name            string
	scopes, denied  []string
	tools           []string // deny_tools
	refused, only10 []string // of both generations, and of 0.10 besides
	only12          []string
}{
	{name: "everything", scopes: []string{"bot", "tx"}},
	{
		name: "bots", scopes: []string{"bot"},
		refused: []string{"list_meetings", "get_meeting_transcript"},
		only10: []string{
			"get_meeting_bundle", "create_transcript_share_link", "update_meeting_data", "delete_meeting",
		},
	},
	{
		name: "readers", scopes: []string{"tx"},
		refused: []string{"request_meeting_bot", "get_bot_status", "update_bot_config", "stop_bot"},
		only10:  []string{"delete_recording", "update_recording_config"},
	},
	{
		name: "quiet", scopes: []string{"bot", "tx"},
		denied:  []string{"POST /bots", "PUT /bots/{platform}/{native_id}/config"},
		refused: []string{"request_meeting_bot", "update_bot_config"},
	},
	{
		name: "keepers", scopes: []string{"bot", "tx"},
		denied: []string{
			"DELETE /recordings/{id}", "DELETE /bots/google_meet/abc", "DELETE /meetings/{rest...}",
		},
		refused: []string{"stop_bot"},
		only10:  []string{"delete_recording", "delete_meeting"},
	},
	{
		name: "private", scopes: []string{"bot", "tx"},
		denied: []string{
			"GET /meetings", "POST /transcripts/{a}/{b}/share", "GET /recordings/{id}/media/{media}/download",
		},
		refused: []string{"list_meetings", "request_meeting_bot"},
		only10: []string{
			"get_meeting_bundle", "create_transcript_share_link", "get_recording_media_download",
		},
		only12: []string{"report_issue"},
	},
	{
		name: "careful", scopes: []string{"bot", "tx"},
		tools:   []string{"delete_*", "parse_meeting_link", "*_bot"},
		refused: []string{"parse_meeting_link", "request_meeting_bot", "stop_bot"},
		only10:  []string{"delete_recording", "delete_meeting"},
	},
}

func toolRules() (rules []rule.Rule) {
	many := 1000
	for _, g := range toolGrants {
		rules = append(rules, rule.Rule{
			Name: g.name, Match: rule.Match{Groups: []string{g.name}},
			Grant: &rule.GrantSpec{
				Scopes: g.scopes, DenyRoutes: g.denied, DenyTools: g.tools, MaxConcurrentBots: &many,
			},
		})
	}
	return rules
}

// bench is a meeting with a bot and a recording for a tool to work on, made behind the bridge's back.
type bench struct {
	w      *proxytest.World
	key    string
	number int
}

func (b *bench) send(method, path, body string) string {
	b.w.T.Helper()
	req, err := http.NewRequestWithContext(b.w.T.Context(), method, b.w.Vexa.GatewayURL+path,
		strings.NewReader(body))
	proxytest.Must(b.w.T, err)
	req.Header.Set("X-API-Key", b.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	proxytest.Must(b.w.T, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	proxytest.Must(b.w.T, err)
	return string(text)
}

// arguments makes what a tool works on, and returns the arguments that name it.
func (b *bench) arguments() map[string]any {
	b.number++
	fresh := fmt.Sprint("fresh-", b.number)
	const bot = `{"platform":"google_meet","native_meeting_id":"`
	for _, id := range []string{fresh + "-x", "abc"} {
		b.send("POST", "/bots", bot+id+`"}`)
	}
	b.send("DELETE", "/bots/google_meet/"+fresh+"-x", "")
	var had struct{ Recordings []struct{ ID int } }
	proxytest.Must(b.w.T, json.Unmarshal([]byte(b.send("GET", "/recordings", "")), &had))
	b.w.Vexa.ToolCalls()
	return map[string]any{
		"meeting_url": "https://meet.google.com/abc", "platform": "google_meet", "native_meeting_id": fresh,
		"meeting_platform": "google_meet", "meeting_id": "abc", "language": "de", "enabled": true,
		"recording_id": had.Recordings[len(had.Recordings)-1].ID, "media_file_id": 1,
	}
}

// withKey sends a token as an MCP client is told to.
type withKey struct{ value string }

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.value)
	return http.DefaultTransport.RoundTrip(r)
}

// connect opens a session with the client of the official SDK.
func connect(t *testing.T, w *proxytest.World, token string) *mcp.ClientSession {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), oidctest.Patience)
	t.Cleanup(cancel)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: w.Public + "/mcp", HTTPClient: &http.Client{Transport: withKey{token}},
		DisableStandaloneSSE: true,
	}, nil)
	proxytest.Must(t, err)
	t.Cleanup(func() { session.Close() })
	return session
}

// S14: each tool under each grant, before both generations, with the official client. What is refused says
// the tool and why and never reaches Vexa, where it would have acted; the lists show what is left.
func TestEachToolUnderEachGrant(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		for _, grant := range toolGrants {
			t.Run(generation+" "+grant.name, func(t *testing.T) {
				t.Parallel()
				w := proxytest.Start(t, func(o *proxytest.Options) {
					o.Generation, o.Rules = generation, toolRules()
				})
				email := grant.name + "@acme.example"
				w.Okta.AddPerson(oidctest.Person{Email: email, Groups: []string{grant.name}})
				w.SignIn(email).Get("/auth/me")
				_, token := w.NewToken(email, grant.scopes...)
				user, _ := w.Vexa.User(email)
				on := &bench{w: w, key: w.Vexa.AddToken(user.ID, "", 0, "bot", "tx").Secret}
				session := connect(t, w, token)

				refused := append(slices.Clone(grant.refused), grant.only12...)
				if generation == vexatest.Generation010 {
					refused = append(slices.Clone(grant.refused), grant.only10...)
				}
				var listed []string
				for tool, err := range session.Tools(t.Context(), nil) {
					proxytest.Must(t, err)
					listed = append(listed, tool.Name)
				}
				for _, name := range w.Vexa.ToolNames() {
					// what is refused with these arguments alone is listed
					shown := !slices.Contains(refused, name) ||
						name == "get_meeting_bundle" && grant.name == "private" ||
						name == "stop_bot" && grant.name == "keepers"
					if slices.Contains(listed, name) != shown {
						t.Errorf("%s: listed %v", name, listed)
					}
					checkTool(t, on, session, name, slices.Contains(refused, name))
				}
			})
		}
	}
}

func checkTool(t *testing.T, on *bench, session *mcp.ClientSession, name string, refused bool) {
	t.Helper()
	arguments := on.arguments()
	on.w.Vexa.GatewayWire().Forget()
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	received, acted := on.w.Vexa.GatewayWire().Bytes(), on.w.Vexa.ToolCalls()
	if !refused {
		if err != nil || received == 0 || len(acted) == 0 && name != "parse_meeting_link" {
			t.Errorf("%s is refused: %v %+v", name, err, res)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "tool "+name) ||
		received != 0 || len(acted) != 0 {
		t.Errorf("%s is not refused: %v; %d bytes, %+v", name, err, received, acted)
	}
	call, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "tools/call",
		"params": map[string]any{"name": name, "arguments": arguments},
	})
	proxytest.Must(t, err)
	answer := on.send("POST", "/mcp", string(call))
	canary := on.w.Vexa.ToolCalls()
	if name == "parse_meeting_link" { // it calls nothing
		return
	}
	// 0.12's gateway has the route of update_bot_config, and nothing behind it
	missing := name == "update_bot_config" && on.w.Options.Generation == vexatest.Generation012
	if len(canary) == 0 || canary[0].Status >= http.StatusBadRequest && !missing {
		t.Errorf("%s would not have acted: %+v %s", name, canary, answer)
	}
}

// send posts a message to /mcp with a token.
func send(w *proxytest.World, token, body string, header ...string) proxytest.Answer {
	return w.Program().Send("POST", "/mcp", body, append([]string{
		"X-API-Key", token, "Content-Type", "application/json",
		"Accept", "application/json, text/event-stream",
	}, header...)...)
}

// toolWorld is a world with somebody who may not send bots.
func toolWorld(t *testing.T) (w *proxytest.World, token string) {
	t.Helper()
	w = proxytest.Start(t, func(o *proxytest.Options) { o.Rules = toolRules() })
	w.Okta.AddPerson(oidctest.Person{Email: "quiet@acme.example", Groups: []string{"quiet"}})
	w.SignIn("quiet@acme.example").Get("/auth/me")
	_, token = w.NewToken("quiet@acme.example", "bot", "tx")
	return w, token
}

const (
	sendBot = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"request_meeting_bot",` +
		`"arguments":{"platform":"google_meet","native_meeting_id":"abc"}}}`
	listTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
)

// callOf is sendBot by another tool.
func callOf(tool string) string { return strings.Replace(sendBot, "request_meeting_bot", tool, 1) }

// S14, G6: what could be read in two ways, or is not known, goes nowhere.
func TestMCPBodies(t *testing.T) {
	t.Parallel()
	w, token := toolWorld(t)
	for _, tc := range []struct {
		name, body string
		header     []string
		status     int
		code       string // of the problem, or of the JSON-RPC error
	}{
		{"a closed tool", sendBot, nil, 200, "-32010"},
		{"in a batch", "[" + listTools + "," + sendBot + "]", nil, 200, "-32010"},
		{"without an id", strings.Replace(sendBot, `"id":2,`, "", 1), nil, 400, "bad_request"},
		{"an unknown tool", callOf("send_bot"), nil, 200, "-32010"},
		{"another case", callOf("Request_Meeting_Bot"), nil, 200, "-32010"},
		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"tools/Call"}`, nil, 200, "-32601"},
		{"an unknown notification", `{"jsonrpc":"2.0","method":"notifications/x"}`, nil, 400, "bad_request"},
		{"no arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stop_bot"}}`, nil, 200, "-32602"},
		{
			"a path in an argument", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stop_bot",` +
				`"arguments":{"meeting_platform":"google_meet","meeting_id":"x/../../y"}}}`, nil, 200, "-32602",
		},
		{"no params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, nil, 400, "bad_request"},
		{
			"two names", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_meetings",` +
				`"Name":"request_meeting_bot"}}`, nil, 400, "bad_request",
		},
		{
			"two arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stop_bot",` +
				`"arguments":{"meeting_id":"x","Meeting_ID":"y"}}}`, nil, 400, "bad_request",
		},
		{"not JSON", "nope", nil, 400, "bad_request"},
		{"nothing", "", nil, 400, "bad_request"},
		{"a twice named method", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, nil, 400, "bad_request"},
		{"compressed", listTools, []string{"Content-Encoding", "identity"}, 400, "bad_request"},
		{"two types", listTools, []string{"Content-Type", "text/plain"}, 400, "bad_request"},
		{"too long", `"` + strings.Repeat("x", 1<<20) + `"`, nil, 400, "bad_request"},
		{"another method in a header", listTools, []string{"Mcp-Method", "ping"}, 400, "bad_request"},
		{
			"another tool in a header", callOf("list_meetings"),
			[]string{"Mcp-Name", "request_meeting_bot"},
			400, "bad_request",
		},
	} {
		w.Vexa.GatewayWire().Forget()
		res := send(w, token, tc.body, tc.header...)
		if res.Status != tc.status || !strings.Contains(res.Body, `"code":`+tc.code) &&
			!strings.Contains(res.Body, `"code":"`+tc.code+`"`) {
			t.Errorf("%s: %d %s", tc.name, res.Status, res.Body)
		}
		if n := w.Vexa.GatewayWire().Bytes(); n != 0 || len(w.Vexa.ToolCalls()) != 0 {
			t.Errorf("%s: %d bytes reached the gateway", tc.name, n)
		}
	}
	if res := send(w, token, strings.Replace(sendBot, "tools/call", "tools\\/\\u0063all", 1)); !strings.
		Contains(res.Body, "-32010") {
		t.Errorf("an escaped method: %s", res.Body)
	}
	w.Vexa.GatewayWire().Forget()
	if res := w.Program().Send("DELETE", "/mcp", listTools, "X-API-Key", token); res.Code() != "bad_request" {
		t.Errorf("a DELETE with a body: %d %s", res.Status, res.Body)
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// S14: what goes upstream was written here, with the digits of its numbers.
func TestMCPIsWrittenAgain(t *testing.T) {
	t.Parallel()
	w, token := toolWorld(t)
	w.Vexa.GatewayWire().Forget()
	res := send(w, token, "{ \"id\":9007199254740993, \"method\":\"tools/c\\u0061ll\",\"jsonrpc\":\"2.0\",\n"+
		`"params":{"name":"list_meetings","arguments":{"limit":1.50e1}}}`, "Mcp-Method", "tools/call",
		"Mcp-Name", "list_meetings", "Mcp-Param-Limit", "7", "Accept-Encoding", "gzip")
	got := w.Vexa.GatewayWire().Requests()
	const want = `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call",` +
		`"params":{"name":"list_meetings","arguments":{"limit":1.50e1}}}`
	if res.Status != http.StatusOK || len(got) != 1 || string(got[0].Body) != want ||
		len(got[0].Get("Mcp-Param-Limit")) != 0 || len(got[0].Get("Accept-Encoding")) != 0 {
		t.Errorf("%d %s\n%s", res.Status, res.Body, proxytest.Describe(got))
	}
}

// S14: lists show what is left, whether they come as JSON, as a batch or as events.
func TestToolListsShowWhatIsLeft(t *testing.T) {
	t.Parallel()
	w, token := toolWorld(t)
	for name, events := range map[string]bool{"JSON": false, "events": true} {
		w.Vexa.SetMCPEvents(events)
		res := send(w, token, listTools)
		if res.Status != http.StatusOK || strings.Contains(res.Body, "request_meeting_bot") ||
			strings.Contains(res.Body, "update_bot_config") ||
			!strings.Contains(res.Body, "get_bot_status") || !strings.Contains(res.Body, "nextCursor") {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	w.Vexa.SetMCPEvents(false)
	if res := send(w, token, "["+listTools+"]"); strings.Contains(res.Body, "request_meeting_bot") ||
		!strings.HasPrefix(res.Body, "[") || !strings.Contains(res.Body, "get_bot_status") {
		t.Errorf("a batch: %s", res.Body)
	}
}

// S14: a list that cannot be looked through is not shown.
func TestToolListThatCannotBeRead(t *testing.T) {
	t.Parallel()
	answer := ""
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
	t.Cleanup(gateway.Close)
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = gateway.URL })
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	for name, text := range map[string]string{
		"too long":    `{"jsonrpc":"2.0","id":1,"result":{"tools":["` + strings.Repeat("x", 4<<20) + `"]}}`,
		"not JSON":    `{"tools"`,
		"named twice": `{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"result":{"tools":[{"name":"x"}]}}`,
	} {
		answer = text
		if res := send(w, token, listTools); res.Code() != "vexa_unavailable" {
			t.Errorf("%s: %d %.200s", name, res.Status, res.Body)
		}
	}
	answer = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list_meetings"},{"name":"new"},7]}}`
	if res := send(w, token, listTools); res.Body !=
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list_meetings"}]}}` {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// S14, S5: a session is good for the account and the credential that got it, on every replica, and ends with
// them.
func TestMCPSessionIsItsCredentials(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	replica := w.Replica()
	w.SignIn(oidctest.Ada)
	w.SignIn(oidctest.Tim)
	first, mine := w.NewToken(oidctest.Ada, "bot", "tx")
	_, other := w.NewToken(oidctest.Ada, "bot", "tx")
	_, theirs := w.NewToken(oidctest.Tim, "tx")
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	id := send(w, mine, initialize).Header.Get("Mcp-Session-Id")
	if id == "" || len(id) > 200 {
		t.Fatalf("the session is %q", id)
	}
	w.Vexa.GatewayWire().Forget()
	for name, on := range map[string]*proxytest.World{"here": w, "a replica": replica} {
		res := on.Program().At(on).Send("POST", "/mcp", ping, "X-API-Key", mine, "Mcp-Session-Id", id,
			"Content-Type", "application/json")
		if res.Status != http.StatusOK || res.Header.Get("Mcp-Session-Id") != id {
			t.Errorf("%s: %d %s %s", name, res.Status, res.Header, res.Body)
		}
	}
	got := w.Vexa.GatewayWire().Requests()
	if len(got) != 2 || len(got[0].Get("Mcp-Session-Id")) != 1 || got[0].Get("Mcp-Session-Id")[0] == id {
		t.Fatalf("the gateway received\n%s", proxytest.Describe(got))
	}
	vexas := got[0].Get("Mcp-Session-Id")[0]
	w.Vexa.GatewayWire().Forget()
	for _, method := range []string{"POST", "GET", "DELETE"} {
		for name, tc := range map[string][2]string{
			"another of theirs": {other, id}, "somebody else": {theirs, id}, "Vexa's own": {mine, vexas},
			"a made up one": {mine, id[:len(id)-2] + "AA"}, "nothing": {mine, ""},
			"a long one": {mine, strings.Repeat("A", 2000)},
		} {
			body := ""
			if method == "POST" {
				body = ping
			}
			res := w.Program().Send(method, "/mcp", body, "X-API-Key", tc[0], "Mcp-Session-Id", tc[1],
				"Content-Type", "application/json")
			if res.Status != http.StatusNotFound || res.Code() != "not_found" {
				t.Errorf("%s %s: %d %s", method, name, res.Status, res.Body)
			}
		}
	}
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeToken, Account: first.AccountID, Token: first.ID, Reason: "lost",
	}, "ada"))
	w.WaitFor("the token to end", func() bool {
		return send(w, mine, ping, "Mcp-Session-Id", id).Status == http.StatusUnauthorized
	})
	w.Vexa.GatewayWire().Forget()
	_, again := w.NewToken(oidctest.Ada, "bot", "tx")
	if res := send(w, again, ping, "Mcp-Session-Id", id); res.Status != http.StatusNotFound {
		t.Errorf("with a token made later: %d %s", res.Status, res.Body)
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// S14: a request that lets Vexa's agent act is one for every route that the agent can call.
func TestAgentCountsAsItsRoutes(t *testing.T) {
	t.Parallel()
	for generation, prefix := range map[string]string{
		vexatest.Generation012: "/agent", vexatest.Generation010: "/api",
	} {
		w := proxytest.Start(t, func(o *proxytest.Options) {
			o.Generation, o.Rules = generation, toolRules()
		})
		for _, name := range []string{"quiet", "everything"} {
			w.Okta.AddPerson(oidctest.Person{Email: name + "@acme.example", Groups: []string{name}})
			w.SignIn(name + "@acme.example").Get("/auth/me")
			_, token := w.NewToken(name+"@acme.example", "bot", "tx")
			for target, acts := range map[string]bool{
				"POST /chat": true, "POST /routines": true, "PATCH /routines/1/enabled": true,
				"GET /sessions": false, "DELETE /routines/1": false,
			} {
				w.Vexa.GatewayWire().Forget()
				method, path, _ := strings.Cut(target, " ")
				res := w.Program().Send(method, prefix+path, "{}", "X-API-Key", token)
				closed := acts && name == "quiet"
				if (w.Vexa.GatewayWire().Bytes() == 0) != closed ||
					closed && (res.Code() != "forbidden_route" || !strings.Contains(res.Body, "POST /bots")) {
					t.Errorf("%s: %s to %s: %d %s", generation, name, target, res.Status, res.Body)
				}
			}
		}
	}
}
