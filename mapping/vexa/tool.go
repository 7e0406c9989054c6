package vexa

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tool is one tool of Vexa's MCP service. The service calls the gateway back with the caller's key, so that a
// tool call is a request for what the tool calls (S14).
type Tool struct {
	Name  string
	calls []toolCall
}

// toolCall is one request that a tool makes.
type toolCall struct {
	// method and path; {name} is an argument of the tool, {name:int} one that is a number, {} what only the
	// answer to an earlier request says
	request string

	asked      string // an argument: only when it is not false is the request made
	byDefault  bool   // it is made without that argument, too
	keyDecides bool   // without the scope the rest of the tool works all the same
}

// Request is one request that a tool call makes. A segment of its path that nobody knows before is "{}".
type Request struct {
	Method, Path string

	// KeyDecides: the request is made only sometimes, and what it takes beyond the scopes that the others
	// need is left to Vexa, which checks them in both generations.
	KeyDecides bool
}

func tool(name string, requests ...string) Tool {
	t := Tool{Name: name}
	for _, request := range requests {
		t.calls = append(t.calls, toolCall{request: request})
	}
	return t
}

func (t Tool) sometimes(request string) Tool {
	t.calls = append(t.calls, toolCall{request: request, keyDecides: true})
	return t
}

func (t Tool) whereAsked(argument string, byDefault bool, request string) Tool {
	t.calls = append(t.calls, toolCall{request: request, asked: argument, byDefault: byDefault})
	return t
}

// sharedTools are the tools that both generations have, with what they call.
func sharedTools() []Tool {
	return []Tool{
		tool("parse_meeting_link"),
		tool("request_meeting_bot", "POST /bots").sometimes("GET /meetings"), // after a 409
		tool("get_bot_status", "GET /bots/status"),
		tool("update_bot_config", "PUT /bots/{meeting_platform}/{meeting_id}/config"),
		tool("stop_bot", "DELETE /bots/{meeting_platform}/{meeting_id}"),
		tool("list_meetings", "GET /meetings"),
		tool("get_meeting_transcript", "GET /transcripts/{meeting_platform}/{meeting_id}"),
		tool("list_recordings", "GET /recordings"),
		tool("get_recording", "GET /recordings/{recording_id:int}"),
	}
}

func tools012() []Tool {
	return append(sharedTools(), tool("report_issue").sometimes("GET /meetings"))
}

func tools010() []Tool {
	const share = "POST /transcripts/{meeting_platform}/{meeting_id}/share"
	const media = "/media/{media_file_id:int}/download"
	return append(sharedTools(),
		tool("get_recording_media_download", "GET /recordings/{recording_id:int}"+media),
		tool("delete_recording", "DELETE /recordings/{recording_id:int}"),
		tool("get_recording_config", "GET /recording-config"),
		tool("update_recording_config", "PUT /recording-config"),
		tool("get_meeting_bundle", "GET /transcripts/{meeting_platform}/{meeting_id}").
			whereAsked("include_recordings", true, "GET /recordings").
			whereAsked("include_media_download_urls", false, "GET /recordings/{}/media/{}/download").
			whereAsked("include_share_link", true, share),
		tool("create_transcript_share_link", share),
		tool("update_meeting_data", "PATCH /meetings/{meeting_platform}/{meeting_id}"),
		tool("delete_meeting", "DELETE /meetings/{meeting_platform}/{meeting_id}"),
	)
}

// Tool returns a tool of this generation. One that is not in the table is like a route that is not: nobody
// knows what it does.
func (t *Table) Tool(name string) (Tool, bool) {
	i := slices.IndexFunc(t.tools, func(one Tool) bool { return one.Name == name })
	if i < 0 {
		return Tool{}, false
	}
	return t.tools[i], true
}

// Tools returns the tools of this generation.
func (t *Table) Tools() []Tool { return slices.Clone(t.tools) }

// Always returns the requests that a tool makes whatever its arguments; what they fill in is left as it is in
// the table.
func (t Tool) Always() []Request {
	var requests []Request
	for _, c := range t.calls {
		if c.asked == "" {
			method, path, _ := strings.Cut(c.request, " ")
			requests = append(requests, Request{method, path, c.keyDecides})
		}
	}
	return requests
}

// Arguments returns the names of the arguments by which a tool's requests are decided.
func (t Tool) Arguments() []string {
	var names []string
	for _, c := range t.calls {
		if c.asked != "" {
			names = append(names, c.asked)
		}
		for _, segment := range strings.Split(c.request, "/") {
			if name, is := strings.CutPrefix(segment, "{"); is && name != "}" {
				name, _, _ = strings.Cut(strings.TrimSuffix(name, "}"), ":")
				names = append(names, name)
			}
		}
	}
	return names
}

// Requests returns the requests that a tool makes with these arguments, which are JSON values. It fails for
// an argument that a path has to hold and that is not there, or that could be read in two ways there.
func (t Tool) Requests(arguments map[string][]byte) ([]Request, error) {
	var requests []Request
	for _, c := range t.calls {
		if c.asked != "" && !c.isAsked(arguments) {
			continue
		}
		method, path, _ := strings.Cut(c.request, " ")
		path, err := fillIn(path, arguments)
		if err != nil {
			return nil, err
		}
		requests = append(requests, Request{method, path, c.keyDecides})
	}
	return requests, nil
}

// isAsked reports whether the arguments ask for the request. Only the word false is surely false: the service
// takes "yes", 1 and more for a truth value.
func (c toolCall) isAsked(arguments map[string][]byte) bool {
	value, given := arguments[c.asked]
	if !given {
		return c.byDefault
	}
	return !bytes.Equal(value, []byte("false"))
}

func fillIn(path string, arguments map[string][]byte) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		name, is := strings.CutPrefix(segment, "{")
		if !is || segment == "{}" {
			continue
		}
		name, kind, _ := strings.Cut(strings.TrimSuffix(name, "}"), ":")
		value := string(arguments[name])
		text, quoted := strings.CutPrefix(value, `"`)
		text = strings.TrimSuffix(text, `"`)
		if !plainSegment(text) || (kind == "int" || !quoted) && !plainNumber(text) {
			return "", fmt.Errorf("the argument %s is missing, or cannot be part of a path", name)
		}
		segments[i] = text
	}
	return strings.Join(segments, "/"), nil
}

// plainSegment reports whether a text is one segment of a path and read alike by everybody, decoded or not.
func plainSegment(text string) bool {
	if text == "" || len(text) > 512 || text == "." || text == ".." {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-._~@:=+,", r)
	})
}

// plainNumber reports whether a number is written in the one way in which it is sent on.
func plainNumber(text string) bool {
	n, err := strconv.ParseUint(text, 10, 63)
	return err == nil && strconv.FormatUint(n, 10) == text
}

// mcpMethods are the JSON-RPC methods that clients of Vexa's MCP service send, in every revision of the
// protocol up to 2026-07-28. None but tools/call makes the service call the gateway back.
var mcpMethods = []string{
	"initialize", "ping", "server/discover", "tools/list", MethodCallTool, "prompts/list", "prompts/get",
	"resources/list", "resources/templates/list", "resources/read", "resources/subscribe",
	"resources/unsubscribe", "subscriptions/listen", "completion/complete", "logging/setLevel",
}

var mcpNotifications = []string{
	"notifications/initialized", "notifications/cancelled", "notifications/progress",
	"notifications/roots/list_changed",
}

// MethodCallTool is the JSON-RPC method of a tool call.
const MethodCallTool = "tools/call"

// KnownMCPMethod reports whether clients send this JSON-RPC method to Vexa's MCP service, as a request or as
// a notification.
func KnownMCPMethod(method string, notification bool) bool {
	if notification {
		return slices.Contains(mcpNotifications, method)
	}
	return slices.Contains(mcpMethods, method)
}
