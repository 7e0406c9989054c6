package vexatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// mcpTool is a tool of the MCP service, which calls the gateway back with the caller's key. Its request has
// arguments of the tool in braces.
type mcpTool struct {
	name    string
	request string   // empty: it calls nothing
	inBody  []string // arguments that become the body
}

func (s *Server) mcpTools() []mcpTool {
	const transcript = "/transcripts/{meeting_platform}/{meeting_id}"
	tools := []mcpTool{
		{"parse_meeting_link", "", nil},
		{"request_meeting_bot", "POST /bots", []string{"platform", "native_meeting_id"}},
		{"get_bot_status", "GET /bots/status", nil},
		{"update_bot_config", "PUT /bots/{meeting_platform}/{meeting_id}/config", []string{"language"}},
		{"stop_bot", "DELETE /bots/{meeting_platform}/{meeting_id}", nil},
		{"list_meetings", "GET /meetings", nil},
		{"get_meeting_transcript", "GET " + transcript, nil},
		{"list_recordings", "GET /recordings", nil},
		{"get_recording", "GET /recordings/{recording_id}", nil},
	}
	if !s.legacy() {
		return append(tools, mcpTool{"report_issue", "GET /meetings", nil})
	}
	const media = "/media/{media_file_id}/download"
	return append(tools, []mcpTool{
		{"get_recording_media_download", "GET /recordings/{recording_id}" + media, nil},
		{"delete_recording", "DELETE /recordings/{recording_id}", nil},
		{"get_recording_config", "GET /recording-config", nil},
		{"update_recording_config", "PUT /recording-config", []string{"enabled"}},
		{"get_meeting_bundle", "GET " + transcript, nil},
		{"create_transcript_share_link", "POST " + transcript + "/share", nil},
		{"update_meeting_data", "PATCH /meetings/{meeting_platform}/{meeting_id}", []string{"name", "notes"}},
		{"delete_meeting", "DELETE /meetings/{meeting_platform}/{meeting_id}", nil},
	}...)
}

// ToolCall is a request that a tool of the MCP service made at the gateway, and what came of it.
type ToolCall struct {
	Tool, Method, Path string
	Status             int
}

type toolCalls struct {
	mu   sync.Mutex
	made []ToolCall
}

// ToolCalls returns the requests that tools made, in order, and forgets them.
func (s *Server) ToolCalls() []ToolCall {
	s.toolCalls.mu.Lock()
	defer s.toolCalls.mu.Unlock()
	made := s.toolCalls.made
	s.toolCalls.made = nil
	return made
}

// listTools is tools/list, in two pages.
func (s *Server) listTools(cursor string) any {
	const perPage = 6
	tools := s.mcpTools()
	from, _ := strconv.Atoi(cursor)
	to := min(from+perPage, len(tools))
	listed := []any{}
	for _, one := range tools[min(from, to):to] {
		listed = append(listed, map[string]any{
			"name": one.name, "description": "Wraps: " + one.request,
			"inputSchema": map[string]any{"type": "object"},
		})
	}
	page := map[string]any{"tools": listed}
	if to < len(tools) {
		page["nextCursor"] = strconv.Itoa(to)
	}
	return page
}

type toolResult struct {
	Content []toolText `json:"content"`
	IsError bool       `json:"isError"`
}

type toolText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// callTool does what a tool does: the key of this request is that of its own.
func (s *Server) callTool(c *call, ask rpcAsk) (toolResult, *rpcError) {
	tools := s.mcpTools()
	i := slices.IndexFunc(tools, func(one mcpTool) bool { return one.name == ask.Params.Name })
	if i < 0 {
		return toolResult{}, &rpcError{-32602, "Unknown tool: " + ask.Params.Name}
	}
	one := tools[i]
	if one.request == "" {
		return toolResult{Content: []toolText{{"text", `{"platform":"google_meet"}`}}}, nil
	}
	a := s.toolRequest(c, one.name, one.request, one.inBody, ask.Params.Arguments)
	switch {
	case one.name == "request_meeting_bot" && a.status == http.StatusConflict:
		s.toolRequest(c, one.name, "GET /meetings", nil, nil)
		return toolResult{Content: []toolText{{"text", `{"status":"already_exists"}`}}}, nil
	case one.name == "get_meeting_bundle" && a.status == http.StatusOK:
		if string(ask.Params.Arguments["include_share_link"]) != "false" {
			s.toolRequest(c, one.name, "POST /transcripts/{meeting_platform}/{meeting_id}/share", nil,
				ask.Params.Arguments)
		}
	case a.status >= http.StatusBadRequest:
		said := fmt.Sprintf("Error calling %s. Status code: %d. Response: %s", one.name, a.status, a.body)
		return toolResult{Content: []toolText{{"text", said}}, IsError: true}, nil
	}
	return toolResult{Content: []toolText{{"text", string(a.body)}}}, nil
}

// toolRequest calls the gateway, as the client of another service does, and notes it.
func (s *Server) toolRequest(
	c *call, tool, request string, inBody []string, arguments map[string]json.RawMessage,
) answer {
	method, path, _ := strings.Cut(request, " ")
	for name, value := range arguments {
		text := string(value)
		_ = json.Unmarshal(value, &text)
		path = strings.ReplaceAll(path, "{"+name+"}", text)
	}
	body := map[string]json.RawMessage{}
	for _, name := range inBody {
		if value, given := arguments[name]; given {
			body[name] = value
		}
	}
	key := keyOfAuthorization(c.header("authorization"))
	if key == "" {
		key = c.header("x-api-key")
	}
	a := s.askGateway(&call{
		ctx: c.ctx, method: method, path: path, body: compact(body), host: "gateway:8000", remote: c.remote,
		headers: []pair{{"x-api-key", key}, {"content-type", jsonType}},
	})
	s.toolCalls.mu.Lock()
	defer s.toolCalls.mu.Unlock()
	s.toolCalls.made = append(s.toolCalls.made, ToolCall{tool, method, path, a.status})
	return a
}

// ToolNames returns the names of the MCP service's tools.
func (s *Server) ToolNames() []string {
	var names []string
	for _, one := range s.mcpTools() {
		names = append(names, one.name)
	}
	return names
}
