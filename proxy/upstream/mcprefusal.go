package upstream

import (
	"encoding/json"
	"net/http"
	"strconv"

	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/jsonrpc"
)

// Error codes of JSON-RPC 2.0 section 5.1. refused is ours, in the range that is left to implementations.
const (
	methodNotFound = -32601
	invalidParams  = -32602
	refused        = -32010
)

// toolRefusal is why messages to Vexa's MCP service are not passed on. It is answered as JSON-RPC, which
// clients show to their people and models; at a status of 403 they would end the session, or send the person
// to sign in for what no sign-in gives.
type toolRefusal struct {
	number int
	code   exchange.Code
	detail string
}

// answer answers each request among the messages, of which a refused one is one. Of a batch with a refused
// message nothing was passed on.
func (f *toolRefusal) answer(ex *exchange.Exchange, messages []jsonrpc.Message, batch bool) {
	ex.Code = f.code
	type data struct {
		Code    exchange.Code `json:"code"`
		TraceID string        `json:"trace_id"`
	}
	type failure struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    data   `json:"data"`
	}
	type reply struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   failure         `json:"error"`
	}
	var replies []reply
	for _, m := range messages {
		if m.Request() {
			replies = append(replies, reply{
				"2.0", json.RawMessage(m.ID), failure{f.number, f.detail, data{f.code, ex.TraceID}},
			})
		}
	}
	if batch {
		exchange.WriteJSON(ex, http.StatusOK, replies)
		return
	}
	exchange.WriteJSON(ex, http.StatusOK, replies[0])
}

// quoted returns a stranger's word for a sentence, at most 64 bytes of it.
func quoted(word string) string {
	const most = 64
	if len(word) > most {
		word = word[:most] + "…"
	}
	return strconv.QuoteToASCII(word)
}
