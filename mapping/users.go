package mapping

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"vexa-sso/mapping/vexa"
)

// vexaUsers is the part of Accounts that knows of Vexa's users: it finds or creates the one that an account
// is bound to (bind.go), and blocks the bots of the suspended (bot_block.go).
type vexaUsers struct {
	*ledger
	vexa     VexaAdmin
	adopt    string // who may have a user that we did not make: AdoptTrusted or AdoptNever
	instance string // the names of our tokens at Vexa bear it
}

// named finds the Vexa user that an admin means.
func (u *vexaUsers) named(ctx context.Context, named string) (user vexa.User, err error) {
	named = strings.TrimSpace(named)
	if id, bad := strconv.ParseInt(named, 10, 64); bad == nil {
		user, err = u.vexa.User(ctx, id)
	} else {
		user, err = u.vexa.FindUser(ctx, named)
	}
	switch {
	case errors.Is(err, vexa.ErrUserNotFound), errors.Is(err, vexa.ErrEmail):
		return user, &Objection{
			fmt.Sprintf("Vexa has no user %q", brief(named)),
			"name one that exists, by its email in small letters or its id; to have one made, write a rule " +
				"with that vexa_email",
		}
	case err != nil:
		return user, asError(fmt.Errorf("look for the Vexa user: %w", err))
	}
	return user, nil
}
