package mapping

import (
	"context"
	"fmt"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// Directory is what the refresh grant of an account needs of an identity provider. *oidc.Provider is one.
type Directory interface {
	// Refresh uses a refresh token: who the person is now, and the token to keep from now on. Where it
	// returns both a SignIn and an error, the token was used up and that SignIn holds its successor, and
	// nothing else.
	Refresh(ctx context.Context, refreshToken string, was oidc.Identity) (*oidc.SignIn, error)
}

// RefreshGrant is the means to ask a provider again about somebody who is not there: the newest refresh token
// that it gave for them. It belongs to the account, however many sessions that has. An account without one is
// proven anew only when the person passes by the provider. When the provider last vouched for them is
// Account.ProvenAt.
type RefreshGrant struct {
	AccountID string
	Provider  string // who gave the token
	Sealed    []byte // the token, bound to the account; never the same bytes twice
	RenewAt   time.Time
	Attempts  int // to renew it that led nowhere, since the last that did

	// Unanswered: the provider was asked with this token, and its answer was not stored. Where tokens are
	// replaced, another may have taken its place.
	Unanswered bool
	// Steady: the provider gave the same token again, so it does not replace them.
	Steady bool
}

// refreshGrants is the part of Accounts that keeps the refresh tokens and asks the providers with them
// (refresh.go).
type refreshGrants struct {
	*ledger
	accounts    accountWriter
	ring        Sealer
	directories map[string]Directory
	backoff     providerBackoff
	storing     chan struct{} // a place for each answer that is being written
	lifetime    time.Duration // how long a provider's word counts before it is asked again
	idle        time.Duration // how long a session that nobody uses lives
}

// accountWriter is what a provider's answer does to an account. *Accounts is one.
type accountWriter interface {
	renewed(
		ctx context.Context, id oidc.Identity, precondition func(*change) error,
		written func(*change, Account, rule.Decision) error,
	) error
	revoke(ctx context.Context, r Revocation, fn func(*change, Account) error) error
}

// RefreshGrantTx is the part of a transaction that is about refresh grants. Get-methods return ErrNotFound,
// deleting what is not there is no error.
type RefreshGrantTx interface {
	RefreshGrant(accountID string) (RefreshGrant, error)
	PutRefreshGrant(p RefreshGrant) error
	DeleteRefreshGrant(accountID string) error

	// RenewalsDue returns what is due of each provider that gave a grant that is stored, whether it is
	// configured or not. It counts at most so many of each.
	RenewalsDue(now time.Time, atMost int) ([]RenewalsDue, error)

	// ClaimRenewals claims refresh grants that are due, as a RenewalClaim says. looked is at how many: fewer
	// than it may, where there are no more.
	ClaimRenewals(c RenewalClaim) (claimed []Renewal, looked int, err error)

	// LeasesHeld returns which of these leases somebody holds.
	LeasesHeld(names []string, now time.Time) ([]string, error)
}

// keep makes a refresh token the account's refresh grant, in place of the one before. It is of the
// provider that the account's identity was last proven by: one person can come through two that
// are the same organisation.
func (g *refreshGrants) keep(c *change, acc Account, refreshToken string) error {
	sealed, err := g.seal(acc.ID, refreshToken)
	if err != nil {
		return err
	}
	return c.PutRefreshGrant(RefreshGrant{
		AccountID: acc.ID, Provider: acc.Identity.Provider, Sealed: sealed, RenewAt: g.renewAt(),
	})
}

func (g *refreshGrants) seal(accountID, refreshToken string) ([]byte, error) {
	sealed, err := g.ring.Seal(keyring.ProviderToken, []byte(refreshToken), []byte(accountID))
	if err != nil {
		return nil, fmt.Errorf("seal the refresh grant of account %s: %w", accountID, err)
	}
	return sealed, nil
}

func (g *refreshGrants) open(p RefreshGrant) (string, error) {
	token, err := g.ring.Open(keyring.ProviderToken, p.Sealed, []byte(p.AccountID))
	if err != nil {
		return "", fmt.Errorf("open the refresh grant of account %s: %w", p.AccountID, err)
	}
	return string(token), nil
}

// renewAt is when a refresh grant of now is renewed: in the second half of the time that it counts for, which
// leaves a quarter of that time for what goes wrong, and not all at once where many signed in at once.
func (g *refreshGrants) renewAt() time.Time {
	return g.now().Add(g.lifetime/2 + g.random.upTo(g.lifetime/4))
}
