package terminal

import (
	"log/slog"
	"time"
)

// Secrets are the tokens of a sign-in: never printed, but for the access token on demand.
type Secrets struct {
	Access        string    `json:"access_token"`
	AccessExpires time.Time `json:"access_expires_at"`
	Refresh       string    `json:"refresh_token"` // single-use: each renewal brings the next
}

// String implements fmt.Stringer, so that secrets are not printed by mistake.
func (Secrets) String() string { return "[secrets]" }

// GoString implements fmt.GoStringer likewise.
func (s Secrets) GoString() string { return s.String() }

// LogValue implements slog.LogValuer likewise.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Where secrets are kept.
const (
	InKeyring = "keyring"
	InFile    = "file"
)

// SignIn is what this machine keeps of a sign-in to one server.
type SignIn struct {
	Origin  Origin `json:"origin"`
	Account string `json:"account,omitempty"` // email, name or id; "" if the server did not say
	// scopes that were asked for; none: all that the person has
	Asked      []string  `json:"asked,omitempty"`
	Scopes     []string  `json:"scopes"` // that were granted, in Vexa's names
	SignedInAt time.Time `json:"signed_in_at"`
	// certificates that are trusted for this server besides the system's
	CAFile string `json:"ca_file,omitempty"`
	Kept   string `json:"kept"` // InKeyring or InFile

	Ended      bool `json:"ended,omitempty"`      // the server said so: sign in again
	Unanswered int  `json:"unanswered,omitempty"` // prompts in a row that nobody finished

	Secrets *Secrets `json:"secrets,omitempty"` // in the file, only if they are kept in it
}
