#!/usr/bin/env bash
# github.com/modelcontextprotocol/go-sdk v1.8.0: an error that a server answers with code -32003 or -32004 is
# told as a closed connection.
#
# Most expect: -32000 to -32099 are the server's own to use (JSON-RPC 2.0, section 5.1), so that a tool call
# which a server refuses with one of them comes back as that error, like any other code.
# Seen: with -32003 and -32004, which the SDK's own transport uses for "the client is closing" and "the server
# is closing", CallTool returns mcp.ErrConnectionClosed, and the server's error cannot be had by errors.As any
# more. The connection is fine: the next request on the session works. A client that reconnects at
# ErrConnectionClosed does so at each refusal.
# So a server, or a bridge in front of one, that refuses tool calls keeps away from these codes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require github.com/modelcontextprotocol/go-sdk v1.8.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const hello = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}`

// server refuses every tool call with a code, and answers everything else.
func server(code int) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		_ = json.NewDecoder(r.Body).Decode(&m)
		w.Header().Set("Content-Type", "application/json")
		answer := `"result":{}`
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		case m.ID == nil:
			w.WriteHeader(http.StatusAccepted)
			return
		case m.Method == "initialize":
			answer = `"result":` + hello
		case m.Method == "server/discover":
			answer = `"error":{"code":-32601,"message":"no such method"}`
		case m.Method == "tools/call":
			answer = fmt.Sprintf(`"error":{"code":%d,"message":"your access excludes this"}`, code)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, m.ID, answer)
	}))
}

func main() {
	ctx := context.Background()
	for code := -32000; code >= -32010; code-- {
		s := server(code)
		client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil)
		session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: s.URL}, nil)
		if err != nil {
			panic(err)
		}
		_, err = session.CallTool(ctx, &mcp.CallToolParams{Name: "t"})
		var said *jsonrpc.Error
		fmt.Printf("%d: closed %t, the server's error %t, then ping %v\n", code,
			errors.Is(err, mcp.ErrConnectionClosed), errors.As(err, &said), session.Ping(ctx, nil))
		session.Close()
		s.Close()
	}
}
GO
export GOFLAGS=-mod=mod GOWORK=off
seen=$(go run . 2>build.log) || { cat build.log; exit 1; }
echo "$seen"
for code in 0 1 2 3 4 5 6 7 8 9 10; do
  line=$(printf -- '-32%03d: closed false, the server'"'"'s error true, then ping <nil>' "$code")
  case $code in
  3 | 4) line=$(printf -- '-32%03d: closed true, the server'"'"'s error false, then ping <nil>' "$code") ;;
  esac
  grep -qxF -- "$line" <<<"$seen" || { echo "changed: expected $line"; exit 1; }
done
