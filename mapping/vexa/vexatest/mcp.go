package vexatest

import (
	"encoding/json"
	"net/http"
)

// mcp is 0.12's /mcp.
func (s *Server) mcp(c *call, who validated) answer {
	return s.forward(c, who, MCP, c.path, func() answer { return s.tools(c, who) })
}

// mcp010 checks nothing. It turns a key into an Authorization header, unless there is one, and
// says itself what it accepts.
func (s *Server) mcp010(c *call) answer {
	inner := *c
	authorization := c.header("authorization")
	if authorization == "" {
		authorization = c.header("x-api-key")
	}
	inner.headers = nil
	if authorization != "" {
		inner.headers = append(inner.headers, pair{"authorization", authorization})
	}
	inner.headers = append(inner.headers, pair{"accept", jsonType}, pair{"content-type", jsonType})
	if agent, ok := first(c.headers, "user-agent"); ok {
		inner.headers = append(inner.headers, pair{"user-agent", agent})
	}
	ctx, cancel := s.within(c.ctx, downstreamTimeout)
	defer cancel()
	if err := s.parts.await(ctx, MCP, s.closing); err != nil {
		return s.unreachable(MCP, err)
	}
	if !s.echo.on(MCP) {
		return s.relayed(s.tools(c, validated{}))
	}
	e := s.downstream(&inner, validated{}, c.path)
	if contentType, ok := first(c.headers, "content-type"); ok { // twice, once in each spelling
		e.Headers = insertAfter(e.Headers, "user-agent", [2]string{"content-type", contentType})
	}
	return s.relayed(s.echoAnswer(c, MCP, e))
}

func insertAfter(headers [][2]string, name string, one [2]string) [][2]string {
	var out [][2]string
	for _, h := range headers {
		out = append(out, h)
		if h[0] == name {
			out = append(out, one)
		}
	}
	return out
}

// tools is the MCP server: JSON-RPC on POST, a silent stream of events on GET.
func (s *Server) tools(c *call, who validated) answer {
	switch {
	case c.path != "/mcp" && c.path != "/mcp/":
		return notFound
	case c.method == "GET":
		return s.longStream(
			c, who, s.eventStream(MCP).with("Mcp-Session-Id", s.random.hex32()), func(*eventWriter) {},
		)
	case c.method == "POST":
		return s.rpc(c)
	}
	return answer{status: http.StatusOK, contentType: jsonType, body: []byte("{}")}
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type rpcReply struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcAsk struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProtocolVersion string                     `json:"protocolVersion"`
		Name            string                     `json:"name"`
		Arguments       map[string]json.RawMessage `json:"arguments"`
		Cursor          string                     `json:"cursor"`
	} `json:"params"`
}

// rpc answers one message, or a batch as the revision of 2025-03-26 has it.
func (s *Server) rpc(c *call) answer {
	var batch []rpcAsk
	var one rpcAsk
	if json.Unmarshal(c.body, &batch) == nil {
		replies := []*rpcReply{}
		for _, ask := range batch {
			if reply, _ := s.rpcReply(c, ask); reply != nil {
				replies = append(replies, reply)
			}
		}
		return jsonAnswer(http.StatusOK, replies)
	}
	if json.Unmarshal(c.body, &one) != nil {
		return jsonAnswer(http.StatusBadRequest,
			rpcReply{JSONRPC: "2.0", ID: json.RawMessage("null"), Error: &rpcError{-32700, "Parse error"}})
	}
	reply, session := s.rpcReply(c, one)
	if reply == nil {
		return answer{status: http.StatusAccepted, contentType: jsonType}
	}
	a := jsonAnswer(http.StatusOK, reply)
	if s.mcpEvents.Load() {
		body := a.body
		a = s.eventStream(MCP)
		a.stream = func(w *eventWriter) { w.event("message", string(body)) }
	}
	if session != "" {
		a = a.with("Mcp-Session-Id", session)
	}
	return a
}

// SetMCPEvents makes the MCP service answer with a stream of one event, as servers may, in place of JSON.
func (s *Server) SetMCPEvents(on bool) { s.mcpEvents.Store(on) }

// rpcReply returns the answer to a message, nil to a notification, and the session that it is of.
func (s *Server) rpcReply(c *call, ask rpcAsk) (*rpcReply, string) {
	if ask.Method == "tools/call" { // whether anybody waits for the answer or not
		result, failure := s.callTool(c, ask)
		if ask.ID == nil {
			return nil, ""
		}
		reply := &rpcReply{JSONRPC: "2.0", ID: ask.ID, Error: failure}
		if failure == nil {
			reply.Result = result
		}
		return reply, c.header("mcp-session-id")
	}
	if ask.ID == nil {
		return nil, ""
	}
	reply, session := &rpcReply{JSONRPC: "2.0", ID: ask.ID}, c.header("mcp-session-id")
	switch ask.Method {
	case "initialize":
		session = s.random.hex32()
		reply.Result = map[string]any{
			"protocolVersion": ask.Params.ProtocolVersion,
			"capabilities":    map[string]any{"tools": map[string]any{}},
			"serverInfo":      map[string]string{"name": "vexa", "version": "0.1.0"},
		}
	case "ping":
		reply.Result = struct{}{}
	case "tools/list":
		reply.Result = s.listTools(ask.Params.Cursor)
	default:
		reply.Error = &rpcError{-32601, "Method not found"}
	}
	return reply, session
}
