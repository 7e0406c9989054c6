package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/jsonrpc"
)

// maxMCPList is the greatest list of tools, in bytes, and the greatest event of a stream in which one may be.
const maxMCPList = 4 << 20

// answerMCP gives an answer of Vexa's MCP service the client's session id, and takes the tools that the
// caller may not use off the lists in it.
func (p *Passer) answerMCP(g *Passage, res *http.Response) error {
	if err := p.sealSession(g, res.Header); err != nil {
		return err
	}
	if !g.mcp.lists || res.StatusCode != http.StatusOK {
		return nil
	}
	if len(res.Header["Content-Encoding"]) > 0 {
		return exchange.Fail("vexa_unavailable",
			errors.New("the MCP service sent a Content-Encoding unasked"))
	}
	contentType := strings.ToLower(strings.Join(res.Header["Content-Type"], ","))
	if strings.HasPrefix(contentType, "text/event-stream") {
		res.ContentLength = -1
		delete(res.Header, "Content-Length")
		res.Body = &eventFilter{from: bufio.NewReader(res.Body), body: res.Body, mcp: g.mcp}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMCPList+1))
	res.Body.Close()
	if err == nil && len(body) > maxMCPList {
		err = fmt.Errorf("the MCP service’s list of tools is longer than %d bytes", maxMCPList)
	}
	if err == nil && len(body) > 0 {
		body, err = g.mcp.filter(body)
	}
	if err != nil {
		return exchange.Fail("vexa_unavailable", fmt.Errorf("reading the MCP service’s answer: %w", err))
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	return nil
}

// filter takes the tools that the caller may not use off each list in a message, or in a batch.
func (m *mcpPassage) filter(text []byte) ([]byte, error) {
	value, err := jsonrpc.Canonical(text)
	if err != nil || value.Kind() != '[' {
		return m.filterMessage(value), err
	}
	elements, err := jsonrpc.Elements(value)
	for i := range elements {
		elements[i] = m.filterMessage(elements[i])
	}
	return jsonrpc.Array(elements), err
}

func (m *mcpPassage) filterMessage(message jsontext.Value) jsontext.Value {
	return replaceMember(message, "result", func(result jsontext.Value) jsontext.Value {
		return replaceMember(result, "tools", func(tools jsontext.Value) jsontext.Value {
			listed, err := jsonrpc.Elements(tools)
			if err != nil {
				return tools // no list
			}
			left := listed[:0]
			for _, one := range listed {
				if m.mayList(one) {
					left = append(left, one)
				}
			}
			return jsonrpc.Array(left)
		})
	})
}

// mayList reports whether the caller may use a tool, at least with some arguments.
func (m *mcpPassage) mayList(listed jsontext.Value) bool {
	members, err := jsonrpc.Members(listed)
	if err != nil {
		return false
	}
	for _, one := range members {
		if one.Name == "name" {
			name, _ := jsonrpc.Text(one.Value)
			tool, known := m.tools.Tool(name)
			return known && m.refuse(tool, tool.Always()) == nil
		}
	}
	return false
}

// replaceMember replaces the value of an object's member; whatever else it is given it returns.
func replaceMember(
	object jsontext.Value, name string, by func(jsontext.Value) jsontext.Value,
) jsontext.Value {
	if object.Kind() != '{' {
		return object
	}
	members, err := jsonrpc.Members(object)
	if err != nil {
		return object
	}
	for i, one := range members {
		if one.Name == name {
			members[i].Value = by(one.Value)
			return jsonrpc.Object(members)
		}
	}
	return object
}

// eventFilter is the body of an event stream whose events go through filter. It holds one event at a time.
type eventFilter struct {
	from *bufio.Reader
	body io.ReadCloser
	mcp  *mcpPassage
	out  []byte // what of the current event is still to be read
}

func (f *eventFilter) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

func (f *eventFilter) Close() error { return f.body.Close() }

// next reads one event, or one line that is not of an event: a comment goes on at once, because it is there
// to keep the connection.
func (f *eventFilter) next() error {
	var rest, data []byte
	for size := 0; ; {
		line, err := f.line(maxMCPList - size)
		if err != nil {
			return err // an event that is cut off is none
		}
		size += len(line)
		text := bytes.TrimRight(line, "\r\n")
		switch name, value, _ := bytes.Cut(text, []byte(":")); {
		case len(text) > 0 && text[0] == ':':
			f.out = append(f.out, line...)
			if rest == nil && data == nil {
				return nil
			}
		case string(name) == "data":
			data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
		case len(text) > 0:
			rest = append(append(rest, text...), '\n')
		default:
			return f.write(rest, data)
		}
	}
}

// write puts out an event. Data that is neither an object nor an array is no message, and stays as it is.
func (f *eventFilter) write(rest, data []byte) error {
	f.out = append(f.out, rest...)
	data = bytes.TrimSuffix(data, []byte("\n"))
	if message := bytes.TrimSpace(data); len(message) > 0 && (message[0] == '{' || message[0] == '[') {
		var err error
		if data, err = f.mcp.filter(message); err != nil {
			return fmt.Errorf("an event of the MCP service: %w", err)
		}
	}
	if data != nil {
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			f.out = append(append(append(f.out, "data: "...), line...), '\n')
		}
	}
	f.out = append(f.out, '\n')
	return nil
}

// line reads a line with its end, of at most so many bytes. A carriage return ends one, too.
func (f *eventFilter) line(most int) ([]byte, error) {
	var line []byte
	for len(line) < most {
		b, err := f.from.ReadByte()
		if err != nil {
			return nil, err
		}
		line = append(line, b)
		switch {
		case b == '\n':
			return line, nil
		case b == '\r':
			// whether a line feed follows is seen with the next line, which would be empty: a whole event
			// would be cut in two, and so what ends with a carriage return alone is not taken
			next, err := f.from.ReadByte()
			if err != nil || next != '\n' {
				return nil, errors.Join(errors.New("a carriage return within an event stream"), err)
			}
			return append(line, next), nil
		}
	}
	return nil, errors.New("an event of the MCP service is too long")
}
