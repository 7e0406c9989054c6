package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"vexa-sso/proxy/proxytest"
)

// attack is a request that went wrong elsewhere, as bytes. {host}, {cookie} and {key} stand for the bridge's
// host, a signed-in person's session cookie and somebody's Vexa key.
type attack struct {
	name    string
	request string
	status  int
	code    string // of the refusal

	// upstream is every byte that the gateway got; empty: not one. {gateway}, {public}, {key}
	// (proxytest.OurHeaders) and {trace} stand for what they say.
	upstream string
}

var attacks = []attack{
	// A. Two readers of one address.
	{
		"A1: a public path in the query", "GET /bots?x=/health HTTP/1.1\r\nHost: {host}\r\n\r\n", 401,
		"unauthenticated", "",
	},
	{
		"A2: an encoded hash", "GET /bots%23/health HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A3: another address in a header", "GET /bots HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Uri: /health\r\nX-Original-URL: /health\r\nX-Rewrite-URL: /health\r\nX-Original-Method: OPTIONS\r\n\r\n", 401, "unauthenticated", ""},
	{"A3: the same, signed in", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-Forwarded-Uri: /admin\r\nX-Original-URL: /admin/users\r\nX-Rewrite-URL: /admin\r\nX-Original-Method: DELETE\r\nX-HTTP-Method-Override: DELETE\r\n\r\n", 200, "", proxytest.PlainRequest},
	{
		"A4: a health checker's user agent",
		"GET /bots HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe/1.30\r\n\r\n", 401,
		"unauthenticated", "",
	},
	{
		"A4: another one", "GET /bots HTTP/1.1\r\nHost: {host}\r\nUser-Agent: GoogleHC/1.0\r\n\r\n", 401,
		"unauthenticated", "",
	},
	{"A5: dots", "GET /health/../bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 400, "bad_request", ""},
	{
		"A5: encoded dots", "GET /health/%2e%2e/bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A5: half encoded dots", "GET /health/.%2e/bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A5: two slashes", "GET //bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 400, "bad_request", ""},
	{
		"A5: a dot at the end", "GET /bots/. HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A5: a path parameter", "GET /bots;x=1 HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A5: a backslash", "GET /bots\\admin HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A5: an encoded backslash", "GET /bots%5cadmin HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A5: NUL", "GET /bots%00 HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 400, "bad_request", ""},
	{
		"A5: overlong UTF-8", "GET /bots/%c0%ae%c0%ae/admin HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A6: an encoded slash", "DELETE /recordings%2f1 HTTP/1.1\r\n" + proxytest.SignedIn +
		"Sec-Fetch-Site: same-origin\r\n\r\n", 400, "bad_request", ""},
	{"A6: an encoded slash in capitals", "DELETE /recordings%2F1 HTTP/1.1\r\n" + proxytest.SignedIn +
		"Sec-Fetch-Site: same-origin\r\n\r\n", 400, "bad_request", ""},
	{"A6: encoded twice", "DELETE /recordings%252F1 HTTP/1.1\r\n" + proxytest.SignedIn +
		"Sec-Fetch-Site: same-origin\r\n\r\n", 400, "bad_request", ""},
	{
		"A7: over-encoded, and forwarded as it was decided",
		"GET /%62ot%73 HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 200, "", proxytest.PlainRequest,
	},
	{
		"A8: an authority in the path", "GET //admin/secret HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A8: absolute form", "GET http://evil.example/bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A8: CONNECT", "CONNECT {host} HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 400, "bad_request", ""},
	{
		"A9: an unknown host", "GET /bots HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookie}\r\n\r\n",
		421, "misdirected", "",
	},
	{"A9: an unknown host in a header", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X-Forwarded-Host: evil.example\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"A10: a key in the query", "GET /bots?a=1&api_key={key}&b=2 HTTP/1.1\r\n" + proxytest.SignedIn +
		"\r\n", 200, "", strings.Replace(proxytest.PlainRequest, "/bots", "/bots?a=1&b=2", 1)},
	{
		"A10: a key behind a semicolon", "GET /bots?a=1;api_key=x HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{
		"A10: a key that does not decode", "GET /bots?api_key=%zz HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n",
		400, "bad_request", "",
	},
	{"A10: a key behind ten thousand others", "GET /bots?" + strings.Repeat("a&", 10001) +
		"api_key=x HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 400, "bad_request", ""},
	{
		"A12: an address that is trusted elsewhere",
		"GET /bots HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n\r\n",
		401, "unauthenticated", "",
	},

	// B. Headers.
	{"B1: underscores", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X_API_Key: {key}\r\nx-api_key: {key}\r\nx_api_key: {key}\r\n\r\n", 200, "", proxytest.PlainRequest},
	{
		"B1: twice", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-Api-Key: a\r\nx-api-key: b\r\n\r\n",
		400, "bad_request", "",
	},
	{
		"B3: a trailer", "POST /bots HTTP/1.1\r\n" + proxytest.SignedIn + "Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-API-Key, X-User-Id\r\n\r\n2\r\n{}\r\n0\r\nX-API-Key: {key}\r\nX-User-Id: 1\r\n\r\n", 422, "", "POST /bots HTTP/1.1\r\nHost: {gateway}\r\nUser-Agent: probe\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n" + proxytest.OurHeaders + "\r\n2\r\n{}\r\n0\r\n\r\n",
	},
	{"B4: Connection takes our header off", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Connection: close, X-API-Key, x-trace-id, X-Forwarded-For\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"B4: lower case, repeated, empty first", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Connection: , x-api-key\r\nConnection: x-api-key\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"B5: who the client says it is", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-User-Id: 1\r\nX-User-Email: root@acme.example\r\nX-User-Scopes: bot,tx,admin\r\nX-User-Workspaces: all\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"B6: one more scope", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X-User-Scopes: bot\r\nx-user-scopes: tx\r\n\r\n", 200, "", proxytest.PlainRequest},
	{
		"B7: OPTIONS carries nothing either",
		"OPTIONS /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-Admin-API-Key: test-admin-token\r\n\r\n", 405,
		"", strings.Replace(proxytest.PlainRequest, "GET", "OPTIONS", 1),
	},
	{"B7: OPTIONS without a session", "OPTIONS /bots HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", 401, "unauthenticated", ""},
	{"B8: where the client says it comes from", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /admin\r\nForwarded: for=6.6.6.6;host=evil\r\nX-Real-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"B9: junk in X-Forwarded-For", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X-Forwarded-For: a, unknown, 1.2.3.4\r\n\r\n", 200, "", proxytest.PlainRequest},
	{"B12: two lengths", "POST /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400, "", ""},
	// read as two lines, and refused for what the second says
	{"B12: a bare line feed in a header", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X-A: b\nX-API-Key: {key}\r\n\r\n", 401, "native_key_refused", ""},
	{
		"B12: a space before the colon",
		"GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "X-API-Key : {key}\r\n\r\n", 400, "", "",
	},

	// D and F. Credentials that are not.
	{"D5: a garbage bearer", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Authorization: Bearer garbage\r\n\r\n", 401, "token_invalid", ""},
	{
		"D5: a garbage cookie", "GET /bots HTTP/1.1\r\nHost: {host}\r\nCookie: vexa_sso=garbage\r\n\r\n", 401,
		"unauthenticated", "",
	},
	{"D10: a hundred cookies", "GET /bots HTTP/1.1\r\nHost: {host}\r\nCookie: " +
		strings.Repeat("vexa_sso_login_x=1; vexa_sso=%ff; ", 100) + "\r\n\r\n", 401, "unauthenticated", ""},
	{"D10: a cookie of 60 kB", "GET /bots HTTP/1.1\r\nHost: {host}\r\nCookie: vexa_sso=" +
		strings.Repeat("a", 60_000) + "\r\n\r\n", 401, "unauthenticated", ""},
	{
		"D11: a body for nobody",
		"POST /bots HTTP/1.1\r\nHost: {host}\r\nContent-Length: 11\r\n\r\nsecret body", 401,
		"unauthenticated", "",
	},

	{"D5: a garbage token among the subprotocols", "GET /ws HTTP/1.1\r\n" + proxytest.SignedIn + "Origin: {public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: vsso.token.garbage, vexa\r\n\r\n", 401, "token_invalid", ""},

	// V. Vexa's own traps.
	{"V1: a key for /ws in the query", "GET /ws?api_key={key} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", 401, "unauthenticated", ""},
	{"V2: a raw Authorization", "POST /mcp HTTP/1.1\r\n" + proxytest.SignedIn +
		"Authorization: {key}\r\nContent-Length: 2\r\n\r\n{}", 401, "native_key_refused", ""},
	{
		"V2: a Vexa key as bearer",
		"POST /mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: 2\r\n\r\n{}",
		401, "native_key_refused", "",
	},
	{"V3: credentials that Vexa passes on", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Proxy-Authorization: Basic eDp5\r\nCookie2: a=b\r\n\r\n", 200, "", proxytest.PlainRequest},
	{
		"V4: the admin's key and the internal secret", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
			"X-Admin-API-Key: test-admin-token\r\nX-Internal-Secret: test-internal-secret\r\n\r\n",
		200, "", proxytest.PlainRequest,
	},
	{
		"V4: /admin", "GET /admin/users/1 HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 403,
		"forbidden_route", "",
	},
	{
		"V4: /admin deeper", "GET /agent/x/Admin/users HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 403,
		"forbidden_route", "",
	},
	{"V4: /internal", "POST /internal/validate HTTP/1.1\r\n" + proxytest.SignedIn +
		"Sec-Fetch-Site: same-origin\r\nContent-Length: 2\r\n\r\n{}", 403, "forbidden_route", ""},
	{
		"V4: the documentation", "GET /docs HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 403,
		"forbidden_route", "",
	},
	{
		"V4: the documentation as ReDoc", "GET /redoc HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 403,
		"forbidden_route", "",
	},
	{
		"V4: the documentation as JSON", "GET /openapi.json HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 403,
		"forbidden_route", "",
	},
	{
		"V5: duplicates of what we set", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
			"X-Trace-Id: a\r\nX-Trace-Id: b\r\nX-Forwarded-For: a\r\nX-Forwarded-For: b\r\n\r\n",
		200, "", proxytest.PlainRequest,
	},

	{"V12: Vexa is told whose address it is", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n\r\n", 200, "", proxytest.PlainRequest},

	// What may pass, passes as it is.
	{
		"a plain request", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn + "\r\n", 200, "",
		proxytest.PlainRequest,
	},
	{
		"an upgrade to something else is none", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
			"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
		200, "", strings.Replace(proxytest.PlainRequest, "User-Agent: probe\r\n",
			"User-Agent: probe\r\nHttp2-Settings: x\r\n", 1),
	},
	{
		"an upgrade where there is no WebSocket is none", "GET /bots HTTP/1.1\r\n" + proxytest.SignedIn +
			"Origin: {public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		200, "", strings.Replace(proxytest.PlainRequest, "User-Agent: probe\r\n",
			"User-Agent: probe\r\nOrigin: {public}\r\n", 1),
	},
	{
		"a write from this site", "POST /bots HTTP/1.1\r\n" + proxytest.SignedIn + "Origin: {public}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 422, "", "POST /bots HTTP/1.1\r\nHost: {gateway}\r\nUser-Agent: probe\r\nContent-Length: 2\r\nContent-Type: application/json\r\nOrigin: {public}\r\n" + proxytest.OurHeaders + "\r\n{}",
	},
	{"a write from another site", "POST /bots HTTP/1.1\r\n" + proxytest.SignedIn +
		"Origin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}", 403, "cross_site", ""},
	{
		"a write from who knows where",
		"POST /bots HTTP/1.1\r\n" + proxytest.SignedIn + "Content-Length: 2\r\n\r\n{}", 403, "cross_site", "",
	},
	{"a WebSocket from another site", "GET /ws HTTP/1.1\r\n" + proxytest.SignedIn + "Origin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", 403, "cross_site", ""},
}

// S1, S4, S7: what worked elsewhere does not work here, byte for byte.
func TestAttacks(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	cookie := w.SignIn("ada@acme.example").Cookie()
	if res := w.Raw(w.Fill("GET /bots HTTP/1.1\r\n"+proxytest.SignedIn+"\r\n",
		cookie, "")); res.Status != http.StatusOK {
		t.Fatalf("the ordinary road: %d %s", res.Status, res.Body)
	}
	victim := w.Vexa.AddUser("victim@acme.example", "Victim")
	stolen := w.Vexa.AddToken(victim.ID, "stolen", 0, "bot", "tx").Secret
	own := w.KeyOf("ada@acme.example")
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			w.Vexa.GatewayWire().Forget()
			res := w.Raw(w.Fill(a.request, cookie, stolen))
			if res.Status != a.status || (a.code != "" && res.Code() != a.code) {
				t.Errorf("answered %d %s, want %d %s", res.Status, res.Body, a.status, a.code)
			}
			w.ExpectUpstream(t, a.upstream, own, res.Header.Get("X-Trace-Id"))
		})
	}
}
