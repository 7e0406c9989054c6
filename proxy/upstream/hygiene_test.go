package upstream

import (
	"net/http"
	"net/url"
	"testing"

	"vexa-sso/proxy/exchange"
)

func TestScrubRequest(t *testing.T) { // S1
	t.Parallel()
	gone := []string{
		// V2, V3, V4
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Admin-Api-Key", "X-Internal-Secret",
		"X_api_key", "X-Api_key", "X_API_KEY", "x-api_key", "Any_Thing", // B1
		"x-API-key", "x-api-key", "X-API-KEY", "cookie", // B2: not canonical, so not from net/http's parser
		// B5, B6
		"X-User-Id", "X-User-Email", "X-User-Scopes", "X-User-Limits", "X-User-Workspaces", "X-User-Anything",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method",
		"Forwarded", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip", // B8, A3
		"X-Original-Url", "X-Rewrite-Url", "X-Original-Method", "X-Http-Method-Override", // A3
		// B3, B4
		"Connection", "Te", "Trailer", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Expect", "X-Trace-Id",
	}
	kept := []string{
		"Accept", "Accept-Language", "Content-Type", "Content-Length", "Range", "If-None-Match", "User-Agent",
		"Mcp-Session-Id", "Mcp-Protocol-Version",
		"Last-Event-Id", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Idempotency-Key",
		"X-Requested-With", "Traceparent",
	}
	h := http.Header{}
	for _, name := range append(gone, kept...) {
		h[name] = []string{"client", "client"}
	}
	scrubRequest(h)
	for _, name := range gone {
		if _, there := h[name]; there {
			t.Errorf("%s would reach the upstream", name)
		}
	}
	for _, name := range kept {
		if _, there := h[name]; !there {
			t.Errorf("%s does not reach the upstream", name)
		}
	}
}

func TestScrubResponse(t *testing.T) { // S1, S7
	t.Parallel()
	res := &http.Response{StatusCode: 200, Trailer: http.Header{"X-User-Id": {"1"}}, Header: http.Header{
		"Content-Type": {"text/html"}, "Content-Range": {"bytes 0-9/10"}, "Etag": {`"x"`},
		"Mcp-Session-Id": {"m"}, "Set-Cookie": {"jar=shared"}, "Access-Control-Allow-Origin": {"*"},
		"Access-Control-Allow-Credentials": {"true"}, "Server": {"uvicorn"},
		"X-Trace-Id": {"theirs"}, "Content-Security-Policy": {"default-src *"},
		"Strict-Transport-Security": {"max-age=0"}, "Clear-Site-Data": {"*"},
		"Www-Authenticate": {"Basic"}, "Refresh": {"0;url=https://evil"},
		"Link": {"<https://evil>; rel=preload"}, "Service-Worker-Allowed": {"/"}, "Alt-Svc": {"x"},
	}}
	scrubResponse(res, &Passage{ex: &exchange.Exchange{TraceID: "ours"}})
	for name, want := range map[string]string{
		"Content-Type": "text/html", "Content-Range": "bytes 0-9/10", "Etag": `"x"`, "Mcp-Session-Id": "m",
		"X-Trace-Id": "ours", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox",
		"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		delete(res.Header, name)
	}
	for name := range res.Header {
		t.Errorf("%s came back from the upstream", name)
	}
	if res.Trailer != nil {
		t.Errorf("the upstream's trailer came back: %v", res.Trailer)
	}
}

// S1, V16: a Location leads to a path of ours, or nowhere.
func TestOwnLocation(t *testing.T) {
	t.Parallel()
	site, err := exchange.NewSite("https://vexa.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	p := &Passer{Upstream: Upstream{URL: &url.URL{Scheme: "http", Host: "gateway:8000"}}}
	for location, want := range map[string]string{
		"http://gateway:8000/bots?limit=1":     "/bots?limit=1",
		"HTTPS://Gateway:8000/bots":            "/bots",
		"https://vexa.acme.example/bots":       "/bots",
		"//gateway:8000/bots":                  "/bots",
		"/bots?next=//evil.example":            "/bots?next=//evil.example",
		"https://evil.example/bots":            "",
		"//evil.example/bots":                  "",
		"https://gateway:8000.evil.example/":   "",
		"https://vexa.acme.example.evil/":      "",
		"http://gateway:8001/bots":             "", // another service
		"https://vexa.acme.example@evil/bots":  "",
		"https://ada@vexa.acme.example/bots":   "",
		"https://vexa.acme.example//evil/bots": "",
		"/\\evil.example/bots":                 "",
		"/%2fevil.example/bots":                "",
		"/bots/../../evil":                     "",
		"javascript:alert(1)":                  "",
		"https:evil.example":                   "",
		"bots":                                 "",
		"":                                     "",
		"http://gateway:8000/\x01":             "",
	} {
		if got, ok := p.ownLocation(site, location); got != want || ok != (want != "") {
			t.Errorf("%q leads to %q, %v, want %q", location, got, ok, want)
		}
	}
}

func TestInert(t *testing.T) { // S7
	t.Parallel()
	for ct, want := range map[string]bool{
		"text/html; charset=utf-8": false, "TEXT/HTML": false, "application/xhtml+xml": false,
		"image/svg+xml": false, "text/xml": false, "text/xsl": false,
		"application/pdf": false, "": false, "text/javascript": false, "multipart/x-mixed-replace": false,
		"application/json": true, "Application/JSON; charset=utf-8": true, "text/event-stream": true,
		"audio/wav": true, "video/mp4": true, "text/plain": true, "application/octet-stream": true,
		`audio/webm; codecs=opus`: true, `text/plain;charset="utf-8"`: true, " text/plain ": true,
		// a list to browsers, or no type at all
		"application/json;,text/html": false, "application/json, text/html": false, "text/plain,": false,
		"text/plain;a=\",text/html": false, "application/json;": true, "application/json;x": false,
		"application/json x; a=b": false, "application/json/html": false, "text/plain;\u00a0": false,
		"audio/html": false, "video/svg+xml": false, "text/plain; a=1; a=2": false, "text/plain\x00": false,
	} {
		if got := inert(ct); got != want {
			t.Errorf("inert(%q) = %v", ct, got)
		}
	}
}

// What is one person's stays out of caches that serve many, and has one type.
func TestAnswersAreOnePersons(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "no-store", "public, max-age=600": "no-store", "max-age=600": "no-store",
		"private, max-age=600": "private, max-age=600", "no-store": "no-store",
		"private, s-maxage=5": "no-store", "no-cache": "no-store", "PRIVATE ,max-age=1": "PRIVATE ,max-age=1",
		// words that only contain a directive, or a directive that is about a header
		"max-age=600, not-private": "no-store", "x-no-store": "no-store", `private="set-cookie"`: "no-store",
		`a="b, private, c"`: "no-store", "private=x": "no-store", "private, S-MaxAge=5": "no-store",
		"private, republic": "private, republic", "private;max-age=1": "no-store",
	} {
		res := &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {"application/json", "text/html"}},
		}
		if given != "" {
			res.Header.Set("Cache-Control", given)
		}
		scrubResponse(res, &Passage{ex: &exchange.Exchange{}})
		if got := res.Header.Get("Cache-Control"); got != want || len(res.Header["Content-Type"]) != 1 {
			t.Errorf("Cache-Control %q became %q, Content-Type %q", given, got, res.Header["Content-Type"])
		}
	}
}
