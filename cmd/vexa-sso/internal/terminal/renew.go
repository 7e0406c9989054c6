package terminal

import (
	"context"
	"errors"
	"time"
)

// How long an access token must be valid at least: for a program that asks for one each time, and for one
// that has to make do with it.
const (
	Soon    = time.Minute
	Lasting = 30 * time.Minute
)

// Token returns an access token for the server that is valid for atLeast, if the server issues such; it
// renews it where needed, once for all shells. A sign-in that has ended is started anew if a person is there
// and has a browser; else the error is a *SignInAgain.
func (t *Terminal) Token(ctx context.Context, origin Origin, atLeast time.Duration) (string, error) {
	token, err := t.renewed(ctx, origin, atLeast)
	var again *SignInAgain
	if !errors.As(err, &again) || !t.Person || t.Browser == nil {
		return token, err
	}
	if err := t.askAgain(ctx, origin, again); err != nil {
		return "", err
	}
	return t.renewed(ctx, origin, atLeast)
}

// renewed returns a valid access token of the stored sign-in.
func (t *Terminal) renewed(ctx context.Context, origin Origin, atLeast time.Duration) (string, error) {
	in, err := t.live(origin)
	if err != nil || t.good(in, atLeast) {
		return access(in), err
	}
	unlock, err := t.lock(ctx, origin)
	if err != nil {
		return "", err
	}
	defer unlock()
	in, err = t.live(origin) // another shell was first
	if err != nil || t.good(in, atLeast) {
		return access(in), err
	}
	if err = t.renew(ctx, &in); Unavailable(err) && t.good(in, 0) {
		err = nil // it is good for a moment yet
	}
	return access(in), err
}

// renew exchanges the refresh token of a sign-in for the next pair, and stores it. The lock must be held.
func (t *Terminal) renew(ctx context.Context, in *SignIn) error {
	server, err := t.server(ctx, in.Origin, in.CAFile)
	if err != nil {
		return err
	}
	// What was sent is spent. From here to the wallet nobody interrupts, or the answer would be lost; the
	// client's own time limit holds. If it is lost on its way, a second request soon after has another: the
	// server takes a spent token for half a minute.
	ctx = context.WithoutCancel(ctx)
	g, err := server.refresh(ctx, in.Secrets.Refresh, t.Now())
	if Unavailable(err) {
		g, err = server.refresh(ctx, in.Secrets.Refresh, t.Now())
	}
	if errors.Is(err, errEnded) {
		in.Ended = true
		if _, err := t.Wallet.put(*in); err != nil {
			return err
		}
		return ended(in.Origin)
	}
	if err != nil {
		return err
	}
	in.Secrets = &g.Secrets
	if len(g.scopes) > 0 {
		in.Scopes = g.scopes
	}
	noKeyring, err := t.Wallet.put(*in)
	if noKeyring != nil {
		t.sayFile(in.Origin, noKeyring)
	}
	return err
}

func (t *Terminal) sayFile(origin Origin, noKeyring error) {
	t.tell("The system's keyring cannot be used (%s). The sign-in is kept in %s, which only you may read.\n",
		plain(noKeyring.Error()), t.Wallet.path(origin))
}

// live returns a sign-in that has not ended, as far as this machine knows.
func (t *Terminal) live(origin Origin) (SignIn, error) {
	in, err := t.Wallet.get(origin)
	if err == nil && in.Secrets == nil {
		err = ended(origin)
	}
	return in, err
}

// good reports whether the access token is valid for so much longer.
func (t *Terminal) good(in SignIn, longer time.Duration) bool {
	return in.Secrets != nil && t.Now().Add(longer).Before(in.Secrets.AccessExpires)
}

func access(in SignIn) string {
	if in.Secrets == nil {
		return ""
	}
	return in.Secrets.Access
}
