package upstream

import (
	"io"
	"mime"
	"net/http"
	"strings"
)

// scrubRequest removes what a client may not tell the upstream (S1): every credential, every header by which
// Vexa or a proxy in between names a caller or an address, every hop-by-hop header. Names are compared in
// canonical form, and a name with an underscore is removed whatever it is, because behind us somebody may
// read it as a hyphen.
func scrubRequest(h http.Header) {
	for name := range h {
		if !mayReachUpstream(name) {
			delete(h, name)
		}
	}
}

func mayReachUpstream(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		return false
	}
	canonical := http.CanonicalHeaderKey(name)
	if canonical != name {
		return false // not from net/http's parser, so nobody knows who wrote it
	}
	if refusedRequestHeaders[canonical] {
		return false
	}
	for _, prefix := range refusedRequestPrefixes {
		if strings.HasPrefix(canonical, prefix) {
			return false
		}
	}
	return true
}

var refusedRequestHeaders = setOf(
	// credentials
	"Authorization", "Proxy-Authorization", "Cookie", "Cookie2", "X-Api-Key", "Api-Key", "Apikey",
	"X-Auth-Token", "X-Access-Token", "X-Id-Token", "Www-Authenticate", "Proxy-Authenticate",
	// addresses and the original request, as proxies write them
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Cluster-Client-Ip", "Client-Ip",
	"Fastly-Client-Ip", "Via",
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url", "X-Host",
	"X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
	// hop-by-hop, or set by us
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Expect", "X-Trace-Id",
)

var refusedRequestPrefixes = []string{
	"X-User-", "X-Forwarded-", "X-Auth-Request-", "X-Internal-", "X-Admin-", "X-Remote-", "Remote-",
	"X-Envoy-", "Cf-", "X-Ms-Client-Principal", "X-Goog-Authenticated-", "X-Vexa-",
}

// allowedResponseHeaders is the allow-list of the upstream's response headers (S1). No Set-Cookie: both
// gateways share one cookie jar for all users. No CORS: an answer of 0.10's "*" would undo ours.
var allowedResponseHeaders = setOf(
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
	"Content-Disposition", "Accept-Ranges",
	"Cache-Control", "Expires", "Last-Modified", "Etag", "Vary", "Date", "Age", "Pragma",
	"Retry-After", "Allow", "Location", "Mcp-Session-Id", "Mcp-Protocol-Version",
	"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset",
)

// upgradeResponseHeaders are allowed too with a 101.
var upgradeResponseHeaders = setOf(
	"Connection", "Upgrade", "Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions",
)

// scrubResponse removes what a client may not learn from the upstream and adds the headers that keep its
// content from acting as ours (S7).
func scrubResponse(res *http.Response, g *Passage) {
	h := res.Header
	upgraded := res.StatusCode == http.StatusSwitchingProtocols
	for name := range h {
		if !allowedResponseHeaders[name] && !(upgraded && upgradeResponseHeaders[name]) {
			delete(h, name)
		}
	}
	res.Trailer = nil
	if res.ContentLength < 0 && !upgraded {
		res.Body = &withoutTrailer{res.Body, res}
	}
	h["X-Trace-Id"] = g.headerValue(g.ex.TraceID)
	if upgraded {
		return
	}
	h["X-Content-Type-Options"] = noSniff
	h["Cross-Origin-Resource-Policy"] = sameOrigin // no page of another site embeds it, with our cookie
	if !keptPrivate(h["Cache-Control"]) {
		h["Cache-Control"] = noStore // it is one person's, and a shared cache in front of us serves many
	}
	if len(h["Content-Type"]) > 1 {
		h["Content-Type"] = h["Content-Type"][:1] // parsers differ in which of several counts
	}
	if ct := h["Content-Type"]; len(ct) == 0 || !inert(ct[0]) {
		h["Content-Security-Policy"] = sandboxed
	}
}

// withoutTrailer is a body without its trailer. A trailer need not be announced, and net/http fills it in
// when it has read the body to its end (S1).
type withoutTrailer struct {
	io.ReadCloser
	res *http.Response
}

func (b *withoutTrailer) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.res.Trailer = nil
	}
	return n, err
}

// inert reports whether a browser only shows or plays content of this type. Everything else might run: HTML,
// SVG, XML with a stylesheet, PDF, whatever browsers learn tomorrow; and whatever is not exactly one type,
// because browsers read Content-Type as a list and take another part of it than we would (WHATWG MIME
// Sniffing, "extract a MIME type").
func inert(contentType string) bool {
	if inertTypes[contentType] { // as it is mostly written
		return true
	}
	if strings.ContainsFunc(contentType, func(r rune) bool { return r == ',' || r < ' ' || r > '~' }) {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && inertTypes[mediaType]
}

var inertTypes = setOf("application/json", "text/event-stream", "text/plain", "text/csv",
	"text/vtt", "application/x-ndjson", "application/octet-stream", "application/zip",
	"image/png", "image/jpeg", "image/webp", "image/gif",
	"audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/webm", "audio/ogg", "audio/mp4",
	"audio/aac", "audio/flac", "video/mp4", "video/webm", "video/ogg",
	"application/json; charset=utf-8", "text/plain; charset=utf-8", "text/event-stream; charset=utf-8")

// keptPrivate reports whether a Cache-Control keeps an answer out of shared caches (RFC 9111 section 5.2.2).
// A value with a quoted string is not looked into: private="Set-Cookie" is about that header alone, and a
// comma between quotes separates nothing.
func keptPrivate(values []string) bool {
	private := false
	for _, value := range values {
		if strings.IndexByte(value, '"') >= 0 {
			return false
		}
		for more := true; more; {
			var directive string
			directive, value, more = strings.Cut(value, ",")
			directive = strings.Trim(directive, " \t")
			name, _, _ := strings.Cut(directive, "=")
			switch {
			case strings.EqualFold(name, "public"), strings.EqualFold(name, "s-maxage"):
				return false
			case strings.EqualFold(directive, "private"), strings.EqualFold(directive, "no-store"):
				private = true
			}
		}
	}
	return private
}

var (
	noSniff    = []string{"nosniff"}
	noStore    = []string{"no-store"}
	sandboxed  = []string{"sandbox"}
	sameOrigin = []string{"same-origin"}
)

func setOf(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
