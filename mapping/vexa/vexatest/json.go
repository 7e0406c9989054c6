package vexatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// compact writes v as Starlette's JSONResponse does: no blanks, no escaping beyond what JSON asks for.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("vexatest: " + err.Error()) // only our own types come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// spaced rewrites compact JSON as Python's json.dumps does: a blank after every comma and colon, ASCII only.
func spaced(compact []byte) []byte {
	var out bytes.Buffer
	inString, escaped := false, false
	for _, r := range string(compact) {
		switch {
		case r > 0x7e:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		default:
			out.WriteRune(r)
		}
		switch {
		case escaped:
			escaped = false
		case inString && r == '\\':
			escaped = true
		case r == '"':
			inString = !inString
		case !inString && (r == ',' || r == ':'):
			out.WriteByte(' ')
		}
	}
	return out.Bytes()
}

// member is one name and value of a JSON object, kept in order.
type member struct {
	name  string
	value json.RawMessage
}

// members takes an object apart; of a repeated name it keeps the first place and the last value, as Python's
// dict does. It returns false if raw is no object.
func members(raw json.RawMessage) ([]member, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var all []member
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		if i := slices.IndexFunc(all, func(m member) bool { return m.name == name }); i >= 0 {
			all[i].value = value
			continue
		}
		all = append(all, member{name, value})
	}
	return all, true
}

func get(all []member, name string) (json.RawMessage, bool) {
	for _, m := range all {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// jsonb is a PostgreSQL JSONB object, which keeps its keys by length, then by bytes.
type jsonb map[string]json.RawMessage

// MarshalJSON implements json.Marshaler.
func (j jsonb) MarshalJSON() ([]byte, error) {
	var names []string
	for name := range j {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var out bytes.Buffer
	out.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(compact(name))
		out.WriteByte(':')
		out.Write(compact(j[name]))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// naive is a timestamp as the Admin API writes it: UTC without saying so, microseconds only if there are any.
type naive time.Time

// MarshalJSON implements json.Marshaler.
func (n naive) MarshalJSON() ([]byte, error) { return []byte(`"` + isoformat(time.Time(n)) + `"`), nil }

// zoned is a timestamp as meeting-api writes it.
type zoned time.Time

// MarshalJSON implements json.Marshaler.
func (z zoned) MarshalJSON() ([]byte, error) {
	return []byte(`"` + isoformat(time.Time(z)) + `Z"`), nil
}

func isoformat(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond()/1000 == 0 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}
