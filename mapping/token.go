package mapping

import (
	"errors"
	"time"

	"vexa-sso/mapping/rule"
)

// issuedTokens is the part of Accounts that makes tokens (token_create.go), exchanges the values of tools
// (token_refresh.go) and forgets what has expired (token_end.go).
type issuedTokens struct {
	*ledger
	keys        *vexaKeys
	maxLifetime time.Duration
}

// TokenKind says how a token came to be.
type TokenKind string

const (
	TokenPersonal TokenKind = "personal" // made by a person for a program of theirs
	// what a person let a tool have (OAuth); the tool renews its value by itself
	TokenTool TokenKind = "tool"
)

// Token is a credential that we issued: what a program shows in a person's stead. The secret strings that
// stand for it are its values (token_value.go); neither the store nor anybody's memory has them.
type Token struct {
	ID        string // for people and audit; no way to the value
	AccountID string
	Kind      TokenKind
	Client    string      // of a tool: its client_id
	Name      string      // what its owner calls it; of a tool: the tool's name
	Scopes    rule.Scopes // at most; what it may now is the intersection with its owner's grant of now

	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // to the minute; zero: never
	UsedFrom  string    // the address
}

// Live says whether the token has not expired.
func (t Token) Live(now time.Time) bool { return now.Before(t.ExpiresAt) }

// TokenUse is when, and from which address, a token was used.
type TokenUse struct {
	At   time.Time
	From string
}

// TokenValue is a secret string that stands for a token, as the store knows it.
type TokenValue struct {
	Hash    [32]byte // SHA-256 of the string
	TokenID string

	// Refresh says that the value can only be exchanged for the next ones ([Accounts.RefreshTool]).
	// Generation counts those exchanges: the values that came of one are of one generation.
	Refresh    bool
	Generation int64

	CreatedAt time.Time
	ExpiresAt time.Time
}

// ErrTokenReused: a refresh value was used again long after it had been exchanged, so it is in two hands. The
// grant is revoked.
var ErrTokenReused = errors.New("refresh value used again")

// TokenTx is the part of a transaction that is about tokens. Get-methods return ErrNotFound, deleting what is
// not there is no error.
type TokenTx interface {
	Token(id string) (Token, error)
	Tokens(accountID string) ([]Token, error) // the newest first, expired ones among them
	PutToken(t Token) error
	DeleteToken(id string) error // with its values

	// TouchTokens writes when tokens were used, by their id; unknown ones are ignored, and what is older than
	// what is known.
	TouchTokens(used map[string]TokenUse) error

	// TokenInUse is TokenValue with the token and its owner's account, whatever state they are in.
	TokenInUse(hash [32]byte) (TokenInUse, error)
	TokenValue(hash [32]byte) (TokenValue, error)
	PutTokenValue(v TokenValue) error

	// LatestGeneration returns the newest generation of a token's refresh values: its number, when it began
	// and how many values it has.
	LatestGeneration(tokenID string) (Generation, error)

	// Generation returns that generation of a token's refresh values, if it is still known.
	Generation(tokenID string, number int64) (Generation, error)

	// ForgetTokenValues deletes a token's values of the generations before that one.
	ForgetTokenValues(tokenID string, before int64) error
}

// TokenInUse is what a value of a token stands for.
type TokenInUse struct {
	Value   TokenValue
	Token   Token
	Account Account
}

// Generation is what came of one exchange of a refresh value, or of several that raced.
type Generation struct {
	Number int64
	Began  time.Time
	Values int
}
