package vexatest

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
)

// validated is what /internal/validate says of a good token: the gateway's whole knowledge of a caller.
type validated struct {
	UserID        int64           `json:"user_id"`
	Scopes        []string        `json:"scopes"`
	Max           int64           `json:"max_concurrent"`
	Email         string          `json:"email"`
	IsAdmin       *bool           `json:"is_admin,omitempty"` // 0.12
	WebhookURL    string          `json:"webhook_url,omitempty"`
	WebhookSecret string          `json:"webhook_secret,omitempty"`
	WebhookEvents json.RawMessage `json:"webhook_events,omitempty"`
}

// validateToken is POST /internal/validate, which the gateway calls for every request that brings a key.
func (s *Server) validateToken(c *call) answer {
	p, refused := readPayload(c)
	if refused != nil {
		return *refused
	}
	if p.absent {
		return unprocessable(missing(json.RawMessage("null"), "body"))
	}
	if p.json == nil {
		p.json = compact(string(p.text))
	}
	body, ok := members(p.json)
	if !ok {
		return unprocessable(problem{
			Type: "dict_type", Loc: loc("body"), Msg: "Input should be a valid dictionary", Input: p.json,
		})
	}
	if subtle.ConstantTimeCompare(
		[]byte(c.header("x-internal-secret")), []byte(s.config.InternalSecret),
	) != 1 {
		return detail(http.StatusForbidden, "Invalid internal secret")
	}
	raw, _ := get(body, "token")
	switch string(raw) {
	case "", "null", `""`, "0", "false", "[]", "{}":
		return detail(http.StatusUnauthorized, "Missing token")
	}
	token, bad := stringValue(raw)
	if bad != nil {
		return crash()
	}
	who, fault := s.lookUp(token)
	if fault != "" {
		return detail(http.StatusUnauthorized, fault)
	}
	return jsonAnswer(http.StatusOK, who)
}

// lookUp finds whom a token belongs to, or says why nobody.
func (s *Server) lookUp(secret string) (validated, string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.calls.add(func(c *Calls) { c.Validations++ })
	t := s.db.tokenBySecret(secret)
	if t == nil {
		return validated{}, "Invalid token"
	}
	if t.expired(s.now()) {
		return validated{}, "Token expired"
	}
	u := s.db.user(t.userID)
	if u == nil {
		return validated{}, "Invalid token"
	}
	who := validated{
		UserID: u.id, Scopes: t.scopes, Max: u.bots, Email: u.email, WebhookSecret: u.secret,
		WebhookEvents: u.data["webhook_events"],
	}
	_ = json.Unmarshal(u.data["webhook_url"], &who.WebhookURL)
	if !s.legacy() {
		no := false
		who.IsAdmin = &no
	}
	return who, ""
}
