package proxy

import (
	"net/http"
	"testing"
)

func TestScrubRequest(t *testing.T) { // S1
	t.Parallel()
	gone := []string{
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Admin-Api-Key", "X-Internal-Secret", // V2, V3, V4
		"X_api_key", "X-Api_key", "X_API_KEY", "x-api_key", "Any_Thing", // B1
		"x-API-key", "x-api-key", "X-API-KEY", "cookie", // B2: not canonical, so not from net/http's parser
		"X-User-Id", "X-User-Email", "X-User-Scopes", "X-User-Limits", "X-User-Workspaces", "X-User-Anything", // B5, B6
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "Forwarded", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip", // B8, A3
		"X-Original-Url", "X-Rewrite-Url", "X-Original-Method", "X-Http-Method-Override", // A3
		"Connection", "Te", "Trailer", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Expect", "X-Trace-Id", // B3, B4
	}
	kept := []string{
		"Accept", "Accept-Language", "Content-Type", "Content-Length", "Range", "If-None-Match", "User-Agent", "Mcp-Session-Id", "Mcp-Protocol-Version",
		"Last-Event-Id", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Idempotency-Key", "X-Requested-With", "Traceparent",
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
		"Content-Type": {"text/html"}, "Content-Range": {"bytes 0-9/10"}, "Etag": {`"x"`}, "Mcp-Session-Id": {"m"},
		"Set-Cookie": {"jar=shared"}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}, "Server": {"uvicorn"},
		"X-Trace-Id": {"theirs"}, "Content-Security-Policy": {"default-src *"}, "Strict-Transport-Security": {"max-age=0"}, "Clear-Site-Data": {"*"},
		"Www-Authenticate": {"Basic"}, "Refresh": {"0;url=https://evil"}, "Link": {"<https://evil>; rel=preload"}, "Service-Worker-Allowed": {"/"}, "Alt-Svc": {"x"},
	}}
	scrubResponse(res, &exchange{traceID: "ours"})
	for name, want := range map[string]string{
		"Content-Type": "text/html", "Content-Range": "bytes 0-9/10", "Etag": `"x"`, "Mcp-Session-Id": "m",
		"X-Trace-Id": "ours", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Cache-Control": "no-store",
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

func TestInert(t *testing.T) { // S7
	t.Parallel()
	for ct, want := range map[string]bool{
		"text/html; charset=utf-8": false, "TEXT/HTML": false, "application/xhtml+xml": false, "image/svg+xml": false, "text/xml": false, "text/xsl": false,
		"application/pdf": false, "": false, "text/javascript": false, "multipart/x-mixed-replace": false,
		"application/json": true, "Application/JSON; charset=utf-8": true, "text/event-stream": true, "audio/wav": true, "video/mp4": true, "text/plain": true, "application/octet-stream": true,
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
		"": "no-store", "public, max-age=600": "no-store", "max-age=600": "no-store", "private, max-age=600": "private, max-age=600", "no-store": "no-store",
		"private, s-maxage=5": "no-store", "no-cache": "no-store",
	} {
		res := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json", "text/html"}}}
		if given != "" {
			res.Header.Set("Cache-Control", given)
		}
		scrubResponse(res, &exchange{})
		if got := res.Header.Get("Cache-Control"); got != want || len(res.Header["Content-Type"]) != 1 {
			t.Errorf("Cache-Control %q became %q, Content-Type %q", given, got, res.Header["Content-Type"])
		}
	}
}

func TestSameSite(t *testing.T) { // S7
	t.Parallel()
	p := &Proxy{origin: "https://vexa.example.com"}
	for _, tc := range []struct {
		name, method string
		header       map[string]string
		upgrade, ok  bool
	}{
		{"a read", "GET", nil, false, true},
		{"a read from another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, false, true},
		{"a write from here", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, false, true},
		{"a form under a strict referrer policy", "POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, false, true},
		{"a write from an old browser", "PUT", map[string]string{"Origin": "https://vexa.example.com"}, false, true},
		{"a write from another site", "POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, false, false},
		{"a write from a sibling", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, false, false},
		{"a write from nowhere", "POST", map[string]string{"Sec-Fetch-Site": "none"}, false, false},
		{"a forged Origin does not help", "POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://vexa.example.com"}, false, false},
		{"a write from an old browser elsewhere", "DELETE", map[string]string{"Origin": "https://evil.example"}, false, false},
		{"Origin null", "PATCH", map[string]string{"Origin": "null"}, false, false},
		{"neither", "POST", nil, false, false},
		{"a method of tomorrow", "MERGE", nil, false, false},
		{"a WebSocket from here", "GET", map[string]string{"Origin": "https://vexa.example.com"}, true, true},
		{"a WebSocket from elsewhere", "GET", map[string]string{"Origin": "https://evil.example"}, true, false},
		{"a WebSocket from a look-alike", "GET", map[string]string{"Origin": "https://vexa.example.com.evil.example"}, true, false},
		{"a WebSocket without Origin", "GET", map[string]string{"Sec-Fetch-Site": "same-origin"}, true, false},
	} {
		r := &http.Request{Method: tc.method, Header: http.Header{}}
		for k, v := range tc.header {
			r.Header.Set(k, v)
		}
		if err := p.checkSameSite(r, tc.upgrade); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestIsNavigation(t *testing.T) { // S8
	t.Parallel()
	for _, tc := range []struct {
		name, method string
		header       map[string]string
		want         bool
	}{
		{"a browser opens a page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		{"a frame", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"}, false},
		{"fetch", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, false},
		{"an old browser", "GET", map[string]string{"Accept": "text/html,*/*"}, true},
		{"curl", "GET", map[string]string{"Accept": "*/*"}, false},
		{"a program with a key that likes HTML", "GET", map[string]string{"Accept": "text/html", "X-Api-Key": "x"}, false},
		{"a program with a token that likes HTML", "GET", map[string]string{"Accept": "text/html", "Authorization": "Bearer x"}, false},
		{"nothing at all", "GET", nil, false},
	} {
		r := &http.Request{Method: tc.method, Header: http.Header{}}
		for k, v := range tc.header {
			r.Header.Set(k, v)
		}
		if got := isNavigation(r); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestDeniesRoute(t *testing.T) {
	t.Parallel()
	denied := []string{"PUT /user/webhook", "DELETE /recordings/{id}", "POST /agent/{rest...}", "GET /meetings"}
	for _, tc := range []struct {
		method, path string
		want         bool
	}{
		{"PUT", "/user/webhook", true},
		{"PUT", "/user/webhook/", true},
		{"GET", "/user/webhook", false},
		{"PUT", "/user/webhooks", false},
		{"DELETE", "/recordings/7", true},
		{"DELETE", "/recordings", false},
		{"DELETE", "/recordings/7/master", false},
		{"POST", "/agent/chat", true},
		{"POST", "/agent/a/b/c", true},
		{"POST", "/agents", false},
		{"HEAD", "/meetings", true},
		{"GET", "/meetings/1", false},
	} {
		if got := deniesRoute(denied, tc.method, tc.path); got != tc.want {
			t.Errorf("%s %s: %v", tc.method, tc.path, got)
		}
	}
}

func TestCookieValue(t *testing.T) { // D10
	t.Parallel()
	long := make([]byte, maxCookieValue+1)
	for i := range long {
		long[i] = 'a'
	}
	for _, tc := range []struct {
		headers []string
		want    string
	}{
		{[]string{"a=1; vexa_sso=x; b=2"}, "x"},
		{[]string{"vexa_sso=x"}, "x"},
		{[]string{"a=1", "vexa_sso=x"}, "x"},
		{[]string{"xvexa_sso=y; vexa_sso=x"}, "x"},
		{[]string{"vexa_sso_login_1=y"}, ""},
		{[]string{"vexa_sso"}, ""},
		{[]string{"vexa_sso="}, ""},
		{[]string{";;;;=;vexa_sso=x"}, "x"},
		{[]string{"vexa_sso=" + string(long)}, ""},
		{nil, ""},
	} {
		if got := cookieValue(tc.headers, "vexa_sso"); got != tc.want {
			t.Errorf("%.40q: %q, want %q", tc.headers, got, tc.want)
		}
	}
}
