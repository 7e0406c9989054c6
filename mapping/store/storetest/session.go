package storetest

import (
	"context"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// CreateSession writes a session as a sign-in does, without what else a sign-in writes.
func CreateSession(ctx context.Context, s mapping.Store, session caller.Session) error {
	return s.Update(ctx, func(tx mapping.Tx) error {
		if _, err := tx.Account(session.AccountID); err != nil {
			return err
		}
		return tx.(caller.SessionTx).PutSession(session)
	})
}
