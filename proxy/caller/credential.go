package caller

import (
	"net/http"
	"net/textproto"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/proxy/exchange"
)

// credential is a program's credential on a request: a token of ours, an access token of a provider, or a
// Vexa key.
type credential struct {
	kind  string // a kind of caller.go; ByNobody for none
	value string
	hash  [32]byte // SHA-256 of a token of ours
}

const (
	maxCredential = 16 << 10 // bytes; a longer one is refused

	// tokenProtocol is the prefix of a token among the subprotocols of a WebSocket (Sec-WebSocket-Protocol):
	// a page has no other way to send one.
	tokenProtocol = "vsso.token."

	nativePrefix = "vxa_" // of Vexa's own keys
)

// readCredential returns the one credential of a program on a request, and tells its kind by its shape. The
// same one in two places is one; two different ones are refused, as is what cannot be one.
func readCredential(h http.Header) (credential, error) {
	var shown shownCredential
	for _, key := range h["X-Api-Key"] {
		shown.add(key, false)
	}
	for _, line := range h["Authorization"] {
		token, bearer := bearerOf(line)
		shown.add(token, bearer)
	}
	for _, line := range h["Sec-Websocket-Protocol"] {
		for more := true; more; { // an iterator would have what is found so far live on the heap
			var protocol string
			protocol, line, more = strings.Cut(line, ",")
			if token, ok := strings.CutPrefix(textproto.TrimString(protocol), tokenProtocol); ok {
				shown.add(token, true)
			}
		}
	}
	switch {
	case shown.times == 0:
		return credential{kind: ByNobody}, nil
	case shown.differ:
		return credential{}, exchange.Refuse("bad_request", "The request carries more than one credential.")
	}
	return shown.read()
}

// shownCredential is what was found of a credential so far.
type shownCredential struct {
	value  string
	bearer bool // sent with the scheme Bearer, or as a subprotocol
	times  int
	differ bool
}

func (s *shownCredential) add(value string, bearer bool) {
	value = textproto.TrimString(value)
	s.differ = s.differ || s.times > 0 && s.value != value
	s.value, s.bearer = value, s.bearer || bearer
	s.times++
}

// bearerOf returns the bearer token of an Authorization header (RFC 6750 section 2.1), or all of it where its
// scheme is another one.
func bearerOf(line string) (token string, bearer bool) {
	scheme, rest, _ := strings.Cut(textproto.TrimString(line), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return rest, true
	}
	return line, false
}

// read returns the credential, with its kind told by its shape.
func (s *shownCredential) read() (credential, error) {
	c := credential{value: s.value}
	switch {
	case s.value == "":
		return c, exchange.Refuse("token_invalid", "The credential header is empty.")
	case len(s.value) > maxCredential:
		return c, exchange.Refuse("token_invalid", "The token on this request is longer than 16 KiB.")
	case strings.HasPrefix(s.value, mapping.AccessValue):
		var ok bool
		if c.hash, ok = mapping.ParseTokenValue(mapping.AccessValue, s.value); !ok {
			return c, exchange.Refuse("token_invalid",
				"The token is incomplete or mistyped. Copy it again, from its first to its last character.")
		}
		c.kind = ByToken
	case strings.HasPrefix(s.value, mapping.RefreshValue):
		return c, exchange.Refuse("token_invalid", "This is a refresh token: it is exchanged for an access "+
			"token at the token endpoint, and good for nothing else.")
	case strings.HasPrefix(s.value, nativePrefix):
		c.kind = ByNativeKey
	case s.bearer:
		c.kind = ByBearer
	case strings.Count(s.value, ".") == 2:
		return c, exchange.Refuse("token_invalid",
			"An access token of an identity provider is sent as Authorization: Bearer.")
	default:
		return c, exchange.Refuse("token_invalid", "")
	}
	return c, nil
}

// ShowsCredential reports whether a request has a program's credential, valid or not. Of subprotocols,
// anything that looks like one counts: it must neither go on to the gateway nor leave the cookie to decide.
func ShowsCredential(h http.Header) bool {
	return len(h["X-Api-Key"])+len(h["Authorization"]) > 0 ||
		len(h["Sec-Websocket-Protocol"]) > 0 && offersToken(h["Sec-Websocket-Protocol"])
}

func offersToken(protocols []string) bool {
	for _, line := range protocols {
		if strings.Contains(line, tokenProtocol) {
			return true
		}
	}
	return false
}

// TakeTokenProtocol removes the credential from a WebSocket's subprotocols and returns the first of those
// that are left. taken reports whether there was one.
func TakeTokenProtocol(h http.Header) (next string, taken bool) {
	offered := h["Sec-Websocket-Protocol"]
	if len(offered) == 0 || !offersToken(offered) {
		return "", false
	}
	var left []string
	for protocol := range strings.SplitSeq(strings.Join(offered, ","), ",") {
		protocol = textproto.TrimString(protocol)
		if protocol != "" && !strings.Contains(protocol, tokenProtocol) {
			left = append(left, protocol)
		}
	}
	if len(left) == 0 {
		delete(h, "Sec-Websocket-Protocol")
		return "", true
	}
	h["Sec-Websocket-Protocol"] = []string{strings.Join(left, ", ")}
	return left[0], true
}

// HoldsToken reports whether a text contains what looks like the value of a token of ours. No address may:
// addresses get into logs and histories, and on to Vexa.
func HoldsToken(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "vss")
		if !found {
			return false
		}
		if len(rest) > 40 && (rest[0] == 'o' || rest[0] == 'r') && rest[1] == '_' && isBase62(rest[2:40]) {
			return true
		}
		text = rest
	}
}

func isBase62(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
