package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"vexa-sso/proxy/jsonrpc"
)

// good are messages as they come, and as they are written again where that is another way.
var good = map[string]string{
	`{"jsonrpc":"2.0","id":1,"method":"ping"}`:                     "",
	`{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{}}`: "",
	`{"jsonrpc":"2.0","method":"notifications/initialized"}`:       "",
	`{"jsonrpc":"2.0","id":1,"result":{"a":[1,2]}}`:                "",
	`{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}`:          "",
	`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`:                   "",

	" {\"method\" : \"p\\u0069ng\", \"id\":1 ,\"jsonrpc\":\"2.0\"}\n": `{"jsonrpc":"2.0","id":1,` +
		`"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"n":12345678901234567890.100e+5}}`: "",
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"s":"\/\u00e9\ud83d\ude00"}}`: `{"jsonrpc":"2.0","id":1,` +
		`"method":"m","params":{"s":"/é😀"}}`,
}

// bad are what is not one message or a batch, or could be read in two ways.
var bad = []string{
	"", " ", "null", "true", `"x"`, "1", "[]", "[[]]", "{}", "{", "nonsense",
	"\xef\xbb\xbf" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1,"method":"ping"} {}`,
	`{"jsonrpc":"2.0","id":1,"method":"ping"}x`,
	`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`,
	`{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}`,
	`{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`,
	`{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":{"b":1,"b":2}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":null}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","extra":1}`,
	`{"jsonrpc":"2.0","id":1,"method":""}`,
	`{"jsonrpc":"2.0","id":1,"method":1}`,
	`{"jsonrpc":"2.0","id":null,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1e3,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":{},"method":"ping"}`,
	`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 300) + `","method":"ping"}`,
	`{"jsonrpc":"1.0","id":1,"method":"ping"}`,
	`{"jsonrpc":2.0,"id":1,"method":"ping"}`,
	`{"id":1,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1}`,
	`{"jsonrpc":"2.0","result":{}}`,
	`{"jsonrpc":"2.0","id":null,"result":{}}`,
	`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","result":{}}`,
	`{"jsonrpc":"2.0","id":1,"error":"no"}`,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
	`{"jsonrpc":"2.0","id":1,"method":"\ud800"}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\udc00\ud800"}}`,
	`{"jsonrpc":"2.0","id":01,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1,"method":"ping",}`,
	`{'jsonrpc':'2.0','id':1,'method':'ping'}`,
	`{"jsonrpc":"2.0",/**/"id":1,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":NaN}}`,
	`{"jsonrpc":"2.0","id":1,"result":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
	"[" + strings.Repeat(`{"jsonrpc":"2.0","method":"m"},`, 50) + `{"jsonrpc":"2.0","method":"m"}]`,
}

// S14: what is read is written again, in one spelling and with all its digits; whatever could be read in two
// ways is not read.
func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range good {
		messages, batch, err := jsonrpc.Parse([]byte(text))
		if want == "" {
			want = text
		}
		if got := string(jsonrpc.Encode(messages, batch)); err != nil || got != want {
			t.Errorf("%s: %v\n%s, want\n%s", text, err, got, want)
		}
	}
	for _, text := range bad {
		if messages, _, err := jsonrpc.Parse([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, messages)
		}
	}
}

func FuzzParse(f *testing.F) {
	for text := range good {
		f.Add([]byte(text))
	}
	for _, text := range bad {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		messages, batch, err := jsonrpc.Parse(text)
		if err != nil {
			return
		}
		if !utf8.Valid(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		written := jsonrpc.Encode(messages, batch)
		again, batchAgain, err := jsonrpc.Parse(written)
		if err != nil || batch != batchAgain || !bytes.Equal(jsonrpc.Encode(again, batch), written) {
			t.Fatalf("%q was written as %q, and that is read as %+v: %v", text, written, again, err)
		}
		for i, m := range messages { // a reader that knows nothing of us finds the same
			var other struct{ Method string }
			one := jsonrpc.Encode(messages[i:i+1], false)
			if err := json.Unmarshal(one, &other); err != nil || other.Method != m.Method {
				t.Fatalf("%q: %v, %q", one, err, other.Method)
			}
			if m.Params != nil {
				if _, err := jsonrpc.Members(m.Params); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
