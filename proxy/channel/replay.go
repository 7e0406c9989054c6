package channel

import (
	"context"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

// consumeOnce runs do for a provider's token, unless the token was used before: then it is refused (jti, RFC
// 7519 section 4.1.7). The token is marked as used only after do, so that a provider that hears of a failure
// may send it again. Two requests with the same token may both run do at the same moment, so do must be
// idempotent.
func (e *Endpoints) consumeOnce(
	ctx context.Context, provider *oidc.Provider, jti string, until time.Time, do func() error,
) error {
	spent, err := e.accounts.Spent(ctx, provider.Name(), jti)
	if err != nil {
		return err
	}
	if spent {
		return exchange.Refuse("token_invalid", "That token has been used already.")
	}
	if err := do(); err != nil {
		return err
	}
	return e.accounts.Spend(ctx, provider.Name(), jti, until)
}
