package authserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/proxy"
)

// ticket is the content of a consent page on its way through the browser: what exactly the person was asked.
// It is sealed, so that nobody else can write or read one, and bound to the session that was asked, so that
// nobody else can answer it (G2). It is single-use: after an answer there is an authorization of its code.
type ticket struct {
	Kind Kind `json:"kind"`
	// the authorization code that the client gets if they agree; nobody has seen it yet
	Code     string    `json:"code,omitempty"`
	Device   []byte    `json:"device,omitempty"` // hash of the device code
	UserCode string    `json:"user_code,omitempty"`
	Client   string    `json:"client"`
	Scopes   []string  `json:"scopes"`
	Expires  time.Time `json:"expires"`

	RedirectURI string `json:"redirect_uri,omitempty"`
	State       string `json:"state,omitempty"`
	Challenge   string `json:"challenge,omitempty"`
}

func (s *Server) seal(t ticket, person proxy.Person) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("write a ticket: %w", err)
	}
	sealed, err := s.ring.Seal(keyring.ConsentTicket, text, []byte(person.SessionID))
	if err != nil {
		return "", fmt.Errorf("seal a ticket: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open returns the content of a ticket of this kind and session that has not expired.
func (s *Server) open(sealed string, kind Kind, person proxy.Person) (ticket, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return ticket{}, invalidTicket()
	}
	text, err := s.ring.Open(keyring.ConsentTicket, raw, []byte(person.SessionID))
	if err != nil {
		return ticket{}, invalidTicket()
	}
	var t ticket
	if err := json.Unmarshal(text, &t); err != nil || t.Kind != kind {
		return ticket{}, invalidTicket()
	}
	if !s.now().Before(t.Expires) {
		return ticket{}, proxy.Refuse("consent_invalid", "This page was open for too long.")
	}
	return t, nil
}

// invalidTicket is the refusal of what is no ticket of ours, or of another session.
func invalidTicket() error { return proxy.Refuse("consent_invalid", "") }
