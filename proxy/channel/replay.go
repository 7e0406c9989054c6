package channel

import (
	"context"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

// consumeOnce does what a provider's token asks for, unless that token was used before, which is refused. It is noted as used when all is done, so that a
// provider that hears of a failure may try again with the same one; what is done twice by two at the same moment ends the
// same things.
func (n *Endpoints) consumeOnce(ctx context.Context, provider *oidc.Provider, jti string, until time.Time, do func() error) error {
	spent, err := n.accounts.Spent(ctx, provider.Name(), jti)
	if err != nil {
		return err
	}
	if spent {
		return exchange.Refuse("token_invalid", "That token was used before.")
	}
	if err := do(); err != nil {
		return err
	}
	return n.accounts.Spend(ctx, provider.Name(), jti, until)
}
