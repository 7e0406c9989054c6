package authserver

import (
	"context"
	"errors"
	"time"
)

// Kind is the grant type of an authorization.
type Kind string

const (
	KindCode   Kind = "code"   // authorization code (RFC 6749 section 4.1)
	KindDevice Kind = "device" // device code (RFC 8628)
)

// Status is the state of an authorization. It only ever moves forward: pending, approved, spent, reused; or
// denied.
type Status string

const (
	StatusPending  Status = "pending"  // nobody has decided yet; device codes only
	StatusApproved Status = "approved" // the client may get its tokens, once
	// the person said no, or another client tried to redeem the code
	StatusDenied Status = "denied"
	StatusSpent  Status = "spent"  // the client got its tokens
	StatusReused Status = "reused" // and then the code came again: what it gave is revoked
)

// Authorization is what a person is asked for, or has agreed to, and a client has not got yet. The client has
// its code, of which only the hash is stored.
type Authorization struct {
	Kind      Kind
	Hash      [32]byte // SHA-256 of the code
	UserCode  string   // of a device code, without its dash
	AccountID string   // who agreed; empty while nobody has
	Status    Status
	Asked     Asked
	ExpiresAt time.Time
}

// Asked is what a client asked for, and from where.
type Asked struct {
	Client string `json:"client"` // its client_id
	// once approved: those granted; before: those requested, none for all that the person has
	Scopes      []string  `json:"scopes"`
	RedirectURI string    `json:"redirect_uri,omitempty"`
	Challenge   string    `json:"challenge,omitempty"` // PKCE, S256
	Address     string    `json:"address,omitempty"`   // IP address of the client that asked
	At          time.Time `json:"at"`

	DecidedBy string `json:"decided_by,omitempty"` // the session of the person who decided

	// The state of a device's polling.
	PolledAt time.Time     `json:"polled_at,omitzero"`
	Interval time.Duration `json:"interval,omitempty"`

	// Token is the id of the token that the client was given.
	Token string `json:"token,omitempty"`
}

// ErrTooMany says that the greatest number of authorizations of that kind are open.
var ErrTooMany = errors.New("too many authorizations are open")

// Store stores authorizations, for all replicas. *mapping/store.Store implements it.
type Store interface {
	// AddAuthorization stores a new authorization. It returns [mapping.ErrConflict] when its hash or its user
	// code is taken, and ErrTooMany when most of its kind are open: not expired, and pending or approved. It
	// and ChangeAuthorization return [mapping.ErrSessionEnded] for a decision by a session that has ended.
	AddAuthorization(ctx context.Context, a Authorization, most int) error

	// AuthorizationByUserCode returns the authorization with that user code, expired or not, or
	// [mapping.ErrNotFound].
	AuthorizationByUserCode(ctx context.Context, code string) (Authorization, error)

	// ChangeAuthorization calls change with the authorization of that hash, expired or not, and stores what
	// change makes of its account, status, expiry and Asked, in one serializable transaction. It may call
	// change more than once. When change returns an error, nothing is stored and the error is returned.
	// [mapping.ErrNotFound]: there is none.
	ChangeAuthorization(ctx context.Context, hash [32]byte, change func(*Authorization) error) error
}
