package upstream

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/jsonrpc"
)

// maxMCPBody is the greatest body of a request to Vexa's MCP service, in bytes.
const maxMCPBody = 1 << 20

// mcpPassage is what is known of a request to Vexa's MCP service beside its passage.
type mcpPassage struct {
	view  func() *caller.View // by the rules now in force
	tools *vexa.Table

	shown, session string // the session's id as the client has it, and as Vexa's

	lists bool // its answer may list tools
}

// admitMCP looks at a request to Vexa's MCP service, and reports whether it is answered already.
func (p *Passer) admitMCP(g *Passage, r *http.Request) (answered bool, err error) {
	g.mcp = &mcpPassage{
		view:  func() *caller.View { return p.callers.See(p.streams.callerOf(&g.stream)) },
		tools: p.Routes(), lists: true,
	}
	if err := p.openSession(g, r.Header); err != nil {
		return false, err
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "Mcp-Param-") { // copies of arguments, which nobody would compare
			delete(r.Header, name)
		}
	}
	delete(r.Header, "Accept-Encoding") // the answer is read here
	switch {
	case r.Method == http.MethodPost:
		return p.admitMessages(g, r)
	case r.ContentLength != 0:
		return false, exchange.Refuse("bad_request", "Only a POST to /mcp has a body.")
	}
	return false, nil
}

// admitMessages reads the messages of a POST and decides each: methods, tool calls. What is refused is
// answered; what is let through is encoded again from what was decided (S14).
func (p *Passer) admitMessages(g *Passage, r *http.Request) (answered bool, err error) {
	body, err := readMCP(g.ex.ResponseWriter, r)
	if err != nil {
		return false, err
	}
	c := p.streams.callerOf(&g.stream) // as they are by now
	if err := caller.MayUse(c.Account, g.mcp.view().Decision); err != nil {
		return false, err
	}
	messages, batch, err := jsonrpc.Parse(body)
	if err != nil {
		return false, exchange.Refuse("bad_request",
			"This is not a message to an MCP server: "+err.Error()+".")
	}
	if err := sameInHeaders(r.Header, messages, batch); err != nil {
		return false, err
	}
	refusal, err := g.mcp.decide(messages)
	if err != nil {
		return false, err
	}
	if refusal != nil {
		refusal.answer(g.ex, messages, batch)
		return true, nil
	}
	setBody(r, jsonrpc.Encode(messages, batch))
	return false, nil
}

// readMCP reads the whole body of a POST: nothing of it goes upstream before it is decided.
func readMCP(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, parameters, err := mime.ParseMediaType(strings.Join(r.Header["Content-Type"], ","))
	switch {
	case len(r.Header["Content-Encoding"]) > 0:
		return nil, exchange.Refuse("bad_request", "A message to an MCP server has no Content-Encoding here.")
	case err != nil, mediaType != "application/json",
		!strings.EqualFold(cmp.Or(parameters["charset"], "utf-8"), "utf-8"):
		return nil, exchange.Refuse("bad_request",
			"A message to an MCP server has the Content-Type application/json, in UTF-8.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMCPBody+1))
	switch {
	case err != nil:
		return nil, exchange.RefuseBecause("bad_request", "The request’s body did not arrive whole.", err)
	case len(body) > maxMCPBody:
		return nil, exchange.Refuse("bad_request", "A message to an MCP server has at most 1 MiB.")
	}
	// Not every ResponseWriter of a test has deadlines; the answer may take any time.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// setBody gives a request another body, which can be sent again.
func setBody(r *http.Request, body []byte) {
	r.Header["Content-Type"] = []string{"application/json"}
	delete(r.Header, "Content-Length")
	r.ContentLength, r.TransferEncoding, r.Trailer = int64(len(body)), nil, nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
}

// sameInHeaders compares the headers by which a server may find what is called without reading the body
// (revision 2026-07-28) with the message that there is.
func sameInHeaders(h http.Header, messages []jsonrpc.Message, batch bool) error {
	for _, name := range []string{"Mcp-Method", "Mcp-Name"} {
		values := h[name]
		if len(values) == 0 {
			continue
		}
		said := values[0]
		if name == "Mcp-Name" {
			said = plainHeader(said)
		}
		if len(values) > 1 || batch || said != inBody(name, messages[0]) {
			return exchange.Refuse("bad_request", "The header "+name+" does not say what the message says.")
		}
	}
	return nil
}

func inBody(header string, m jsonrpc.Message) string {
	if header == "Mcp-Method" {
		return m.Method
	}
	members, err := jsonrpc.Members(m.Params)
	if err != nil {
		return ""
	}
	wanted := "name"
	if m.Method == "resources/read" {
		wanted = "uri"
	}
	for _, one := range members {
		if one.Name == wanted {
			text, _ := jsonrpc.Text(one.Value)
			return text
		}
	}
	return ""
}

// plainHeader decodes a header value that was not plain text.
func plainHeader(value string) string {
	if encoded, ok := strings.CutPrefix(value, "=?base64?"); ok {
		text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, "?="))
		if err == nil {
			return string(text)
		}
	}
	return value
}

// decide returns the refusal of the first message that is refused: a batch is let through or refused whole.
// It notes whether the answer may list tools.
func (m *mcpPassage) decide(messages []jsonrpc.Message) (*toolRefusal, error) {
	m.lists = false
	for _, one := range messages {
		switch known := vexa.KnownMCPMethod(one.Method, one.Notification()); {
		case one.Method == "": // the answer to a question of the server's
		case !known && one.Notification():
			return nil, exchange.Refuse("bad_request",
				"Vexa’s MCP server is not known to take the notification "+quoted(one.Method)+".")
		case !known:
			return &toolRefusal{
				number: methodNotFound, code: "forbidden_route",
				detail: "Vexa’s MCP server is not known to have the method " + quoted(one.Method) + ".",
			}, nil
		case one.Method == vexa.MethodCallTool:
			refusal, err := m.decideCall(one)
			if refusal != nil || err != nil {
				return refusal, err
			}
		case one.Method == "tools/list":
			m.lists = true
		}
	}
	return nil, nil
}

// decideCall decides a tool call as the requests that the tool makes.
func (m *mcpPassage) decideCall(call jsonrpc.Message) (*toolRefusal, error) {
	name, arguments, err := toolCallOf(call)
	if err != nil {
		return nil, exchange.Refuse("bad_request", "This is not a tool call: "+err.Error()+".")
	}
	tool, known := m.tools.Tool(name)
	if !known {
		return &toolRefusal{number: refused, code: "forbidden_route", detail: "The tool " + quoted(name) +
			" is not available through single sign-on: it is not known what it does."}, nil
	}
	if other, is := jsonrpc.Lookalike(arguments, tool.Arguments()...); is {
		return nil, exchange.Refuse("bad_request",
			"The argument "+quoted(other)+" is written in another case.")
	}
	values := make(map[string][]byte, len(arguments))
	for _, one := range arguments {
		values[one.Name] = one.Value
	}
	requests, err := tool.Requests(values)
	if err != nil {
		return &toolRefusal{
			number: invalidParams, code: "bad_request", detail: "The tool " + name + ": " + err.Error() + ".",
		}, nil
	}
	return m.refuse(tool, requests), nil
}

// refuse returns why a tool is closed, or may not make one of its requests; nil: it may make all of them.
func (m *mcpPassage) refuse(tool vexa.Tool, requests []vexa.Request) *toolRefusal {
	v := m.view()
	if caller.DeniesTool(v.Decision.Grant.DenyTools, tool.Name) {
		return &toolRefusal{
			number: refused, code: "forbidden_route",
			detail: "Your access to Vexa excludes the tool " + tool.Name + ".",
		}
	}
	for _, rq := range requests {
		address := rq.Method + " " + rq.Path
		route, known := m.tools.Lookup(rq.Method, rq.Path)
		if !known {
			return &toolRefusal{number: refused, code: "forbidden_route", detail: "The tool " + tool.Name +
				" calls " + address + ", which is not available through single sign-on."}
		}
		if by := caller.Closed(v.Decision.Grant.DenyRoutes, rq.Method, rq.Path, route); by != "" {
			return &toolRefusal{number: refused, code: "forbidden_route", detail: "The tool " + tool.Name +
				" calls " + address + ", which your access to Vexa excludes."}
		}
		if !rq.KeyDecides && !caller.Covers(v.Scopes, route) {
			return &toolRefusal{number: refused, code: "scope_missing", detail: "The tool " + tool.Name +
				" calls " + address + ", which needs the scope " + strings.Join(route.AnyOf, " or ") +
				", and your access does not have it."}
		}
	}
	return nil
}

// toolCallOf returns the name and the arguments of a tools/call.
func toolCallOf(call jsonrpc.Message) (name string, arguments []jsonrpc.Member, err error) {
	members, err := jsonrpc.Members(call.Params)
	if err != nil {
		return "", nil, errors.New("it has no params")
	}
	if other, is := jsonrpc.Lookalike(members, "name", "arguments"); is {
		return "", nil, errors.New("its " + quoted(other) + " is written in another case")
	}
	named := false
	for _, one := range members {
		switch {
		case one.Name == "name":
			name, named = jsonrpc.Text(one.Value)
		case one.Name == "arguments" && one.Value.Kind() != 'n':
			if arguments, err = jsonrpc.Members(one.Value); err != nil {
				return "", nil, errors.New("its arguments are not an object")
			}
		}
	}
	if !named || name == "" {
		return "", nil, errors.New("it names no tool")
	}
	return name, arguments, nil
}
