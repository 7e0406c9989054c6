package upstream

import (
	"encoding/base64"
	"net/http"
	"strings"

	"vexa-sso/mapping/keyring"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

const (
	sessionHeader = "Mcp-Session-Id"

	maxSessionID = 256  // of Vexa's
	maxShownID   = 1024 // of ours
)

// openSession replaces the session id that a client shows by Vexa's. The client's is Vexa's, sealed for the
// account and the credential that got it: it is good on every replica, for nobody else, and no longer than
// that credential is (S14).
func (p *Passer) openSession(g *Passage, h http.Header) error {
	shown := h[sessionHeader]
	if len(shown) == 0 {
		return nil
	}
	const gone = "This MCP session has ended, or is another credential’s: start a new one."
	if len(shown) > 1 || len(shown[0]) > maxShownID || strings.ContainsAny(shown[0], "\r\n") {
		return exchange.Refuse("not_found", gone)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(shown[0])
	if err != nil {
		return exchange.RefuseBecause("not_found", gone, err)
	}
	id, err := p.ring.Open(keyring.MCPSession, sealed, sessionOwner(p.streams.callerOf(&g.stream)))
	if err != nil {
		return exchange.RefuseBecause("not_found", gone, err)
	}
	g.mcp.shown, g.mcp.session = shown[0], string(id)
	h[sessionHeader] = []string{g.mcp.session}
	return nil
}

// sealSession replaces the session id in an answer of Vexa's by the client's.
func (p *Passer) sealSession(g *Passage, h http.Header) error {
	ids := h[sessionHeader]
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) > 1 || len(ids[0]) > maxSessionID:
		delete(h, sessionHeader)
		return nil
	case ids[0] == g.mcp.session: // clients compare
		h[sessionHeader] = []string{g.mcp.shown}
		return nil
	}
	owner := sessionOwner(p.streams.callerOf(&g.stream))
	sealed, err := p.ring.Seal(keyring.MCPSession, []byte(ids[0]), owner)
	if err != nil {
		return err
	}
	h[sessionHeader] = []string{base64.RawURLEncoding.EncodeToString(sealed)}
	return nil
}

// sessionOwner names a caller's account and credential. The access tokens of a provider follow each other
// within the hour: of these it is the program that shows them.
func sessionOwner(c *caller.Caller) []byte {
	names := []string{c.Account.ID, c.Credential, c.CredentialID, c.Access.ClientID}
	return []byte(strings.Join(names, "\x00"))
}
