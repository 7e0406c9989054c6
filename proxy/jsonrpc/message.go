package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxDepth = 64  // of arrays and objects within each other
	maxBatch = 50  // messages
	maxID    = 256 // bytes
)

// Message is one JSON-RPC 2.0 message: a request (ID and Method), a notification (Method alone), or a
// response (ID alone).
type Message struct {
	ID     jsontext.Value // a string or an integer; nil: none. That of a response may be null
	Method string
	Params jsontext.Value // an object; nil: none

	outcome *Member // of a response: result or error
}

// Notification reports whether a message is a notification: nobody answers it.
func (m Message) Notification() bool { return m.Method != "" && m.ID == nil }

// Request reports whether a message wants an answer.
func (m Message) Request() bool { return m.Method != "" && m.ID != nil }

// Member is one name and its value in an object.
type Member struct {
	Name  string
	Value jsontext.Value
}

// Parse reads one message, or a batch of them. Its error is for people.
func Parse(body []byte) (messages []Message, batch bool, err error) {
	value, err := Canonical(body)
	if err != nil {
		return nil, false, err
	}
	if value.Kind() != '[' {
		m, err := parseMessage(value)
		return []Message{m}, false, err
	}
	elements, err := Elements(value)
	switch {
	case err != nil:
		return nil, false, err
	case len(elements) == 0:
		return nil, false, errors.New("the batch is empty")
	case len(elements) > maxBatch:
		return nil, false, fmt.Errorf("the batch has more than %d messages", maxBatch)
	}
	for _, element := range elements {
		m, err := parseMessage(element)
		if err != nil {
			return nil, false, err
		}
		messages = append(messages, m)
	}
	return messages, true, nil
}

// Canonical returns a text's one JSON value in one spelling: no blanks, no needless escapes, numbers as they
// are. It fails for what two readers might read in two ways.
func Canonical(text []byte) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text)) // UTF-8, no name twice
	for values := 0; ; {
		_, err := d.ReadToken()
		switch {
		case err == io.EOF && values == 1:
			value := jsontext.Value(text).Clone()
			return value, value.Format()
		case err != nil:
			return nil, fmt.Errorf("it is not JSON in UTF-8 in which no name occurs twice, at byte %d",
				d.InputOffset())
		case d.StackDepth() > maxDepth:
			return nil, fmt.Errorf("it is deeper than %d levels", maxDepth)
		case d.StackDepth() == 0:
			if values++; values > 1 {
				return nil, errors.New("something follows the message")
			}
		}
	}
}

// Members returns the members of an object, in order.
func Members(object jsontext.Value) ([]Member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, errors.New("it is not an object")
	}
	var members []Member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		members = append(members, Member{text, value.Clone()})
	}
	return members, nil
}

// Elements returns the elements of an array.
func Elements(array jsontext.Value) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(array))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '[' {
		return nil, errors.New("it is not an array")
	}
	var elements []jsontext.Value
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		elements = append(elements, value.Clone())
	}
	return elements, nil
}

// Text returns the text of a JSON string.
func Text(value jsontext.Value) (string, bool) {
	if value.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err == nil
}

// Lookalike returns the name of a member that only differs in case from one of these names. Some readers take
// it for that.
func Lookalike(members []Member, names ...string) (string, bool) {
	for _, m := range members {
		for _, name := range names {
			if m.Name != name && strings.EqualFold(m.Name, name) {
				return m.Name, true
			}
		}
	}
	return "", false
}

func parseMessage(value jsontext.Value) (Message, error) {
	members, err := Members(value)
	if err != nil {
		return Message{}, fmt.Errorf("a message: %w", err)
	}
	m := Message{}
	said := false
	for _, one := range members {
		ok := true
		switch one.Name {
		case "jsonrpc":
			version, isText := Text(one.Value)
			said, ok = true, isText && version == "2.0"
		case "id":
			m.ID, ok = one.Value, isID(one.Value)
		case "method":
			m.Method, ok = Text(one.Value)
			ok = ok && m.Method != ""
		case "params":
			m.Params, ok = one.Value, one.Value.Kind() == '{'
		case "result", "error":
			ok = m.outcome == nil && (one.Name == "result" || one.Value.Kind() == '{')
			m.outcome = &one
		default:
			return Message{}, fmt.Errorf("a message has no member %.64q", one.Name)
		}
		if !ok {
			return Message{}, fmt.Errorf("a message’s %s is not as it should be", one.Name)
		}
	}
	return m, m.check(said)
}

// check looks at how the members of a message go together.
func (m Message) check(version bool) error {
	null := m.ID.Kind() == 'n'
	switch {
	case !version:
		return errors.New(`a message does not say "jsonrpc": "2.0"`)
	case m.Method == "" && (m.outcome == nil || m.ID == nil || m.Params != nil):
		return errors.New("a message is neither a request nor a response")
	case m.Method != "" && (m.outcome != nil || null):
		return errors.New("a message is not quite a request")
	case null && m.outcome.Name != "error":
		return errors.New("a message answers nothing")
	}
	return nil
}

func isID(value jsontext.Value) bool {
	switch value.Kind() {
	case '"':
		return len(value) <= maxID
	case '0':
		return len(value) <= maxID && !bytes.ContainsAny(value, ".eE")
	}
	return value.Kind() == 'n'
}

// Encode writes messages, as a batch or the one that there is.
func Encode(messages []Message, batch bool) []byte {
	var out []byte
	for i, m := range messages {
		if i > 0 {
			out = append(out, ',')
		}
		out = m.append(out)
	}
	if batch {
		return append(append([]byte{'['}, out...), ']')
	}
	return out
}

func (m Message) append(out []byte) []byte {
	out = append(out, `{"jsonrpc":"2.0"`...)
	if m.ID != nil {
		out = append(append(out, `,"id":`...), m.ID...)
	}
	if m.Method != "" {
		out, _ = jsontext.AppendQuote(append(out, `,"method":`...), m.Method) // it is valid UTF-8
	}
	if m.Params != nil {
		out = append(append(out, `,"params":`...), m.Params...)
	}
	if m.outcome != nil {
		out = append(append(out, `,"`+m.outcome.Name+`":`...), m.outcome.Value...)
	}
	return append(out, '}')
}

// Object writes an object of members.
func Object(members []Member) jsontext.Value {
	out := jsontext.Value{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, m.Name) // it is valid UTF-8
		out = append(append(out, ':'), m.Value...)
	}
	return append(out, '}')
}

// Array writes an array of elements.
func Array(elements []jsontext.Value) jsontext.Value {
	out := jsontext.Value{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}
