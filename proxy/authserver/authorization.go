package authserver

import (
	"context"
	"errors"
	"time"
)

// Kind says by which way a program asks a person.
type Kind string

const (
	KindCode   Kind = "code"   // an authorization code, on its way from the consent to the token endpoint
	KindDevice Kind = "device" // a device code, for which a program polls while a person decides elsewhere
)

// Status says how far an authorization has come. It only ever moves forward: pending,
// approved, spent; or denied.
type Status string

const (
	StatusPending  Status = "pending"  // a person is to be asked; device codes only
	StatusApproved Status = "approved" // the program may have its tokens, once
	// the person said no, or the code was shown by somebody whose it is not
	StatusDenied Status = "denied"
	StatusSpent  Status = "spent"  // the program has had its tokens
	StatusReused Status = "reused" // and then somebody showed the code again: what it gave is revoked
)

// Authorization is what a person is asked for, or has agreed to, on behalf of a program that has had nothing
// of it yet. The program knows it by a code, of which only the hash is kept.
type Authorization struct {
	Kind      Kind
	Hash      [32]byte // SHA-256 of the program's code
	UserCode  string   // what a person types, without its dash; empty for codes of the code grant
	AccountID string   // who agreed; empty while nobody has
	Status    Status
	Asked     Asked
	ExpiresAt time.Time
}

// Asked is what a program asked for, and from where.
type Asked struct {
	Client string `json:"client"` // its client_id
	// once somebody agreed: to these; before: as asked, none for all that they have
	Scopes      []string  `json:"scopes"`
	RedirectURI string    `json:"redirect_uri,omitempty"`
	Challenge   string    `json:"challenge,omitempty"` // PKCE, S256
	Address     string    `json:"address,omitempty"`   // of the device that asked
	At          time.Time `json:"at"`

	// What a device's polling has come to.
	PolledAt time.Time     `json:"polled_at,omitzero"`
	Interval time.Duration `json:"interval,omitempty"`

	// Token is the id of what the program was given.
	Token string `json:"token,omitempty"`
}

// ErrTooMany: as many authorizations of that kind as there may be are open.
var ErrTooMany = errors.New("too many authorizations are open")

// Store keeps authorizations, for all replicas. mapping/store implements it.
type Store interface {
	// AddAuthorization keeps a new authorization. It returns [mapping.ErrConflict] when its hash or its user
	// code is taken, and ErrTooMany when most of its kind are open: not expired, and pending or approved.
	AddAuthorization(ctx context.Context, a Authorization, most int) error

	// AuthorizationByUserCode returns the authorization of that user code, expired or not;
	// [mapping.ErrNotFound] where there is none.
	AuthorizationByUserCode(ctx context.Context, code string) (Authorization, error)

	// ChangeAuthorization runs change on the authorization of that hash, expired or not, and keeps what
	// change makes of its account, status, expiry and Asked: in one transaction, which nobody else's comes
	// between. It may run change more than once. An error of change keeps nothing and is returned;
	// [mapping.ErrNotFound]: there is none.
	ChangeAuthorization(ctx context.Context, hash [32]byte, change func(*Authorization) error) error

	// PurgeAuthorizations deletes those that expired before then, and says how many.
	PurgeAuthorizations(ctx context.Context, then time.Time) (int, error)
}
