package vexatest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// problem is one entry of pydantic's list of what is wrong with a request.
type problem struct {
	Type  string          `json:"type"`
	Loc   []any           `json:"loc"`
	Msg   string          `json:"msg"`
	Input json.RawMessage `json:"input"`
	Ctx   any             `json:"ctx,omitempty"`
}

func unprocessable(problems ...problem) answer {
	return jsonAnswer(http.StatusUnprocessableEntity, struct {
		Detail []problem `json:"detail"`
	}{problems})
}

func loc(parts ...any) []any { return parts }

func missing(input json.RawMessage, where ...any) problem {
	return problem{Type: "missing", Loc: where, Msg: "Field required", Input: input}
}

func extraForbidden(input json.RawMessage, where ...any) problem {
	return problem{Type: "extra_forbidden", Loc: where, Msg: "Extra inputs are not permitted", Input: input}
}

// payload is a request body as FastAPI hands it to validation.
type payload struct {
	absent bool
	json   json.RawMessage // compact; nil if the body was not sent as JSON
	text   []byte          // then it is this
}

// readPayload tells JSON from other bodies by the content type. A body that says JSON and is none is refused
// at once, before any key is looked at.
func readPayload(c *call) (payload, *answer) {
	if len(c.body) == 0 {
		return payload{absent: true}, nil
	}
	contentType, said := first(c.headers, "content-type")
	if said && !isJSONType(contentType) {
		return payload{text: c.body}, nil
	}
	var parsed json.RawMessage
	if err := json.Unmarshal(c.body, &parsed); err != nil {
		a := unprocessable(invalidJSON(c.body, err))
		return payload{}, &a
	}
	var b bytes.Buffer
	_ = json.Compact(&b, parsed)
	return payload{json: b.Bytes()}, nil
}

func isJSONType(contentType string) bool {
	mediaType, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	mediaType = strings.TrimSpace(mediaType)
	return mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// invalidJSON says what Python's decoder says: where, and what it expected there.
func invalidJSON(body []byte, err error) problem {
	at, expected := 0, "Expecting value"
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = max(int(syntax.Offset)-1, 0)
	}
	if before := bytes.TrimSpace(body[:min(at, len(body))]); bytes.HasSuffix(before, []byte("{")) {
		expected = "Expecting property name enclosed in double quotes"
	}
	return problem{
		Type: "json_invalid", Loc: loc("body", at), Msg: "JSON decode error", Input: json.RawMessage("{}"),
		Ctx: struct {
			Error string `json:"error"`
		}{expected},
	}
}

// object returns the members of a body that must be an object of a pydantic model.
func (p payload) object() ([]member, *problem) {
	if p.absent {
		m := missing(json.RawMessage("null"), "body")
		return nil, &m
	}
	input := p.json
	if input == nil {
		input = compact(string(p.text))
	}
	all, ok := members(input)
	if !ok {
		return nil, &problem{
			Type: "model_attributes_type", Loc: loc("body"),
			Msg: "Input should be a valid dictionary or object to extract fields from", Input: input,
		}
	}
	return all, nil
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// integer is pydantic's int: it also takes a string of digits, a whole float and a boolean.
func integer(raw json.RawMessage, where ...any) (int64, *problem) {
	bad := func(kind, msg string) (int64, *problem) {
		return 0, &problem{Type: kind, Loc: where, Msg: msg, Input: raw}
	}
	switch text := string(raw); {
	case text == "true":
		return 1, nil
	case text == "false":
		return 0, nil
	case strings.HasPrefix(text, `"`):
		var s string
		_ = json.Unmarshal(raw, &s)
		if n, ok := parseInteger(s); ok {
			return n, nil
		}
		return bad("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
	case len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9'):
		if n, ok := parseInteger(text); ok {
			return n, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && f == math.Trunc(f) {
			return int64(f), nil
		}
		return bad("int_from_float", "Input should be a valid integer, got a number with a fractional part")
	default:
		return bad("int_type", "Input should be a valid integer")
	}
}

// pythonInteger is what pydantic takes for an integer: "1.0" and "1_000" as well, and blanks around it.
var pythonInteger = regexp.MustCompile(`\A([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?\z`)

// parseInteger reads decimal digits; what is too large for us is merely very large, as it is for Python.
func parseInteger(s string) (int64, bool) {
	m := pythonInteger.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], "_", ""), 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return n, true
	}
	return n, err == nil
}

// queryInteger reads an integer of the query or path.
func queryInteger(value string, where ...any) (int64, *problem) {
	return integer(compact(value), where...)
}

func stringValue(raw json.RawMessage, where ...any) (string, *problem) {
	var s string
	if !strings.HasPrefix(string(raw), `"`) || json.Unmarshal(raw, &s) != nil {
		return "", &problem{
			Type: "string_type", Loc: where, Msg: "Input should be a valid string", Input: raw,
		}
	}
	return s, nil
}

// tooLarge says whether n does not fit PostgreSQL's integer.
func tooLarge(n int64) bool { return n > math.MaxInt32 || n < math.MinInt32 }

// pythonList is the repr of a list of strings.
func pythonList(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quote := "'"
		if strings.Contains(item, "'") && !strings.Contains(item, `"`) {
			quote = `"`
		}
		item = strings.ReplaceAll(item, `\`, `\\`)
		if quote == "'" {
			item = strings.ReplaceAll(item, "'", `\'`)
		}
		quoted[i] = quote + item + quote
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
