package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

const foreignPage = "https://app.acme.example"

func withForeign(o *proxytest.Options) { o.Config.CORS.Origins = []string{foreignPage} }

// What a listed page's browser asks in advance is answered here: the upstream hears nothing of it, and nobody
// is allowed to bring cookies. A page that is not listed is allowed nothing.
func TestPreflight(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withForeign)
	for _, path := range []string{"/bots", "/mcp", "/sso/whoami", "/nowhere"} {
		ask := func(origin string) proxytest.Answer {
			return w.Program().Send("OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method",
				"POST", "Access-Control-Request-Headers", "x-api-key,content-type")
		}
		res := ask(foreignPage)
		h := res.Header
		if res.Status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != foreignPage ||
			h.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: %d %v", path, res.Status, h)
		}
		for _, name := range []string{
			"X-API-Key", "Authorization", "Content-Type", "Mcp-Session-Id",
			"Mcp-Protocol-Version", "Last-Event-ID",
		} {
			if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
				t.Errorf("%s: %s is not allowed", path, name)
			}
		}
		for _, origin := range []string{
			"https://evil.example", "null", "https://app.acme.example.evil.example",
			"https://APP.acme.example", "http://app.acme.example", foreignPage + ":443",
		} {
			res := ask(origin)
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %s: %s", path, origin, name)
				}
			}
			if res.Status < 400 {
				t.Errorf("%s from %s: %d", path, origin, res.Status)
			}
		}
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// A listed page reads answers to its own credential, errors too. What a cookie authenticated, it reads never.
func TestForeignPageReads(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withForeign)
	cookie := w.SignIn(oidctest.Ada).Cookie()
	_, token := w.NewToken(oidctest.Ada, "tx")
	for _, c := range []struct {
		name   string
		path   string
		header []string
		status int
		reads  bool
	}{
		{"with its token", "/meetings", []string{"X-API-Key", token}, 200, true},
		{"with its token, beside a cookie", "/meetings", []string{
			"X-API-Key", token, "Cookie", cookie,
		}, 200, true},
		{"what its token may not", "/bots", []string{"X-API-Key", token}, 403, true},
		{"with a token that is none", "/meetings", []string{"X-API-Key", proxytest.MadeUp(t)}, 401, true},
		{"with nothing", "/meetings", nil, 401, true},
		{"who am I", "/sso/whoami", []string{"Authorization", "Bearer " + token}, 200, true},
		{"an address that is none", "/a//b", []string{"X-API-Key", token}, 400, false},
		{"with our cookie", "/meetings", []string{"Cookie", cookie}, 200, false},
		{"who am I, with our cookie", "/sso/whoami", []string{"Cookie", cookie}, 200, false},
	} {
		res := w.Program().Get(c.path, append(c.header, "Origin", foreignPage)...)
		got := res.Header.Get("Access-Control-Allow-Origin")
		if res.Status != c.status || (got == foreignPage) != c.reads || !c.reads && got != "" ||
			res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", c.name, res.Status, res.Header)
		}
		if exposed := res.Header.Get("Access-Control-Expose-Headers"); c.reads &&
			(!strings.Contains(exposed, "Mcp-Session-Id") || !strings.Contains(exposed, "WWW-Authenticate")) {
			t.Errorf("%s: it reads %s", c.name, exposed)
		}
		if res := w.Program().Get(
			c.path, append(c.header, "Origin", "https://evil.example")...,
		); res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s, from another page: %v", c.name, res.Header)
		}
	}
	if res := w.Program().Send("POST", "/bots", "{}", "Cookie", cookie,
		"Origin", foreignPage); res.Code() != "cross_site" {
		t.Errorf("a write with our cookie: %d %s", res.Status, res.Body)
	}
}

// A page shows its token among the subprotocols of a WebSocket, wherever it is from: the
// gateway sees the page's own protocol alone, and the page hears that one selected. With our
// cookie only a page of ours may (S7).
func TestSocketOfForeignPage(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers, withForeign)
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	for _, shown := range []string{token, w.Bearer(oidctest.Ada)} {
		w.Vexa.GatewayWire().Forget()
		conn, res, err := w.SocketAs([]string{"vsso.token." + shown, "vexa.v1", "other"},
			"Origin", foreignPage)
		proxytest.Must(t, err)
		if conn.Subprotocol() != "vexa.v1" ||
			strings.Contains(strings.Join(res.Header.Values("Sec-Websocket-Protocol"), ","), "vsso") {
			t.Errorf("selected: %v", res.Header)
		}
		if got := proxytest.Talk(t, conn, `{"action":"ping"}`); !strings.Contains(got, "pong") {
			t.Error(got)
		}
		raw := string(w.Vexa.GatewayWire().Requests()[0].Raw)
		if strings.Contains(raw, "vsso") || strings.Contains(raw, shown) ||
			!strings.Contains(raw, "Sec-Websocket-Protocol: vexa.v1, other\r\n") {
			t.Errorf("the gateway got\n%s", raw)
		}
	}
	for _, c := range []struct {
		name      string
		protocols []string
		header    []string
		status    int
	}{
		{"our cookie, from a listed page", []string{"vexa.v1"}, []string{
			"Cookie", b.Cookie(), "Origin", foreignPage,
		}, 403},
		{"our cookie, from nowhere", nil, []string{"Cookie", b.Cookie()}, 403},
		{"a token that is none, with our cookie", []string{
			"vsso.token." + proxytest.MadeUp(t), "vexa.v1",
		}, []string{"Cookie", b.Cookie(), "Origin", w.Public}, 401},
		{"no protocol but the token", []string{"vsso.token." + token}, []string{"Origin", foreignPage}, 400},
		{"two tokens", []string{
			"vsso.token." + token, "vsso.token." + proxytest.MadeUp(t), "vexa.v1",
		}, nil, 400},
	} {
		if _, res, err := w.SocketAs(c.protocols, c.header...); err == nil || res == nil ||
			res.StatusCode != c.status {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// G6: /mcp is no less guarded than the rest: neither a page elsewhere nor one whose name was made to mean our
// address gets there by the cookie. (What is said there is read once: TestMCPBodies.)
func TestMCPFromElsewhere(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withForeign)
	cookie := w.SignIn(oidctest.Ada).Cookie()
	w.Vexa.GatewayWire().Forget()
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for name, header := range map[string][]string{
		"a page elsewhere":    {"Cookie", cookie, "Origin", "https://evil.example"},
		"a listed page":       {"Cookie", cookie, "Origin", foreignPage},
		"a page of who knows": {"Cookie", cookie},
	} {
		if res := w.Program().Send("POST", "/mcp", call, header...); res.Code() != "cross_site" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	rebound := w.Raw("POST /mcp HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\nCookie: " + cookie + "\r\nContent-Length: 2\r\n\r\n{}")
	if rebound.Code() != "misdirected" {
		t.Errorf("a name that was made to mean our address: %d %s", rebound.Status, rebound.Body)
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}
