package exchange

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxQueryParameters bounds a query: beyond some number of parameters (10,000 in net/http/httputil) libraries
// stop looking, and what nobody looked at must not be forwarded.
const maxQueryParameters = 1000

// CanonicalPath returns the one form of the request's path that decides, is logged and is forwarded (S4): the
// decoded path, so that encoding it again the standard way gives exactly one spelling. ok is false for a path
// that two parsers could read differently.
func CanonicalPath(u *url.URL) (path string, ok bool) {
	if u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return "", false // absolute-form and authority-form are for proxies that the client chose
	}
	path = u.Path
	if path == "" || path[0] != '/' || !utf8.ValidString(path) {
		return "", false
	}
	// A decoded %, ? or # was encoded: behind us somebody decodes twice. A decoded slash or
	// dot hides in RawPath only.
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c < 0x20, c == 0x7f, c == '\\', c == '%', c == '?', c == '#', c == ';':
			return "", false
		case c == '/' && i+1 < len(path) && (path[i+1] == '/' || isDotSegment(path[i+1:])):
			return "", false
		}
	}
	if u.RawPath != "" {
		decoded, err := url.PathUnescape(u.RawPath)
		if err != nil || decoded != path || hidesSeparator(u.RawPath) {
			return "", false
		}
	}
	return path, true
}

// isDotSegment reports whether s starts with a "." or ".." segment.
func isDotSegment(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "."), ".")
	return s == "" || s[0] == '/'
}

// hidesSeparator reports whether an encoded path has an encoded slash or dot.
func hidesSeparator(raw string) bool {
	for {
		_, rest, found := strings.Cut(raw, "%2")
		if !found || rest == "" {
			return false
		}
		switch rest[0] {
		case 'f', 'F', 'e', 'E':
			return true
		}
		raw = rest
	}
}

// CanonicalQuery returns the query as it is forwarded: each parameter decoded and encoded again, in the order
// given, without api_key, which Vexa's WebSocket would take for a key.
func CanonicalQuery(raw string) (query string, ok bool) {
	if raw == "" {
		return "", true
	}
	if strings.Count(raw, "&") >= maxQueryParameters || strings.Contains(raw, ";") {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(raw) + 16)
	for more := true; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		rawName, rawValue, hasValue := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !Printable(name) {
			return "", false
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return "", false
		}
		if isKeyParameter(name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		if hasValue {
			b.WriteByte('=')
			b.WriteString(url.QueryEscape(value))
		}
	}
	return b.String(), true
}

// Printable reports whether a text is UTF-8 without control characters.
func Printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

// isKeyParameter reports whether a query parameter is api_key, in any case and with any separator.
func isKeyParameter(name string) bool {
	const key = "apikey"
	i := 0
	for _, r := range name {
		switch r {
		case '_', '-', ' ', '.', '[', ']':
			continue
		}
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		if i >= len(key) || r != rune(key[i]) {
			return false
		}
		i++
	}
	return i == len(key)
}

// CanonicalHost returns a Host header for comparison: in lower case, without a trailing dot, without the
// scheme's default port.
func CanonicalHost(host, scheme string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	name, port, _ := strings.Cut(host, ":")
	if trimmed := strings.TrimSuffix(name, "."); trimmed != name {
		host = trimmed
		if port != "" {
			host += ":" + port
		}
	}
	return host
}

// ClientAddress returns the client's IP address: the peer's, or, where the peer is a trusted proxy, the
// rightmost address in X-Forwarded-For that is not one. Junk in the header ends the walk: what stands left of
// it could have been written by anybody.
func ClientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, _, err := splitHostPort(r.RemoteAddr)
	if err != nil || len(trusted) == 0 {
		return peer
	}
	addr, err := netip.ParseAddr(peer)
	if err != nil || !InAny(addr, trusted) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		addr = hop.Unmap()
		if !InAny(addr, trusted) {
			break
		}
	}
	return addr.String()
}

// parseHop parses an entry of X-Forwarded-For: an address, which some proxies (Azure's gateway) write with
// the port.
func parseHop(text string) (addr netip.Addr, ok bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr, true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr(), err == nil
}

// FromTrustedProxy reports whether the peer itself is a trusted proxy.
func FromTrustedProxy(r *http.Request, trusted []netip.Prefix) bool {
	if len(trusted) == 0 {
		return false
	}
	peer, _, err := splitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(peer)
	return err == nil && InAny(addr, trusted)
}

// InAny reports whether an address is in one of the networks.
func InAny(addr netip.Addr, prefixes []netip.Prefix) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// splitHostPort is net.SplitHostPort for the RemoteAddr that net/http itself wrote, without an allocation for
// IPv4.
func splitHostPort(addr string) (host, port string, err error) {
	ap, err := netip.ParseAddrPort(addr)
	if err == nil && ap.Addr().Is4() {
		i := strings.LastIndexByte(addr, ':')
		return addr[:i], addr[i+1:], nil
	}
	if err != nil {
		return addr, "", err
	}
	return ap.Addr().Unmap().String(), addr[strings.LastIndexByte(addr, ':')+1:], nil
}

// ParsePrefixes parses the networks (CIDR) and addresses of trusted proxies.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("trusted_proxies: %q is neither a network nor an address", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}
