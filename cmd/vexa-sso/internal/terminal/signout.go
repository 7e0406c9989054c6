package terminal

import (
	"context"
	"errors"
	"fmt"
)

// SignOut revokes a sign-in at the server, and deletes it here. It is deleted also when the server could not
// be told, which the error says.
func (t *Terminal) SignOut(ctx context.Context, origin Origin) error {
	unlock, err := t.lock(ctx, origin)
	if err != nil {
		return err
	}
	defer unlock()
	in, err := t.Wallet.get(origin)
	if none := new(NotSignedIn); errors.As(err, &none) {
		return err
	}
	if err == nil && in.Secrets != nil {
		err = t.revoke(ctx, in)
	}
	gone := t.Wallet.drop(SignIn{Origin: origin, Kept: in.Kept})
	if err != nil {
		err = fmt.Errorf("%w\nThe sign-in is forgotten here, but the server still knows it: end it at "+
			"%s/sso/tokens", err, origin)
	}
	return errors.Join(err, gone)
}

func (t *Terminal) revoke(ctx context.Context, in SignIn) error {
	server, err := t.server(ctx, in.Origin, in.CAFile)
	if err != nil {
		return err
	}
	return server.end(ctx, in.Secrets.Refresh)
}
