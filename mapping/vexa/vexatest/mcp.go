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

func (s *Server) rpc(c *call) answer {
	var ask struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"params"`
	}
	if json.Unmarshal(c.body, &ask) != nil {
		return jsonAnswer(http.StatusBadRequest,
			rpcReply{JSONRPC: "2.0", ID: json.RawMessage("null"), Error: &rpcError{-32700, "Parse error"}})
	}
	if ask.ID == nil { // a notification
		return answer{status: http.StatusAccepted, contentType: jsonType}
	}
	reply := rpcReply{JSONRPC: "2.0", ID: ask.ID}
	session := c.header("mcp-session-id")
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
		reply.Result = map[string]any{"tools": []any{map[string]any{
			"name": "list_meetings", "description": "List the caller's meetings.",
			"inputSchema": map[string]any{"type": "object"},
		}}}
	default:
		reply.Error = &rpcError{-32601, "Method not found"}
	}
	a := jsonAnswer(http.StatusOK, reply)
	if session != "" {
		a = a.with("Mcp-Session-Id", session)
	}
	return a
}
