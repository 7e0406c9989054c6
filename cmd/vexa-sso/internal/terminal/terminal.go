package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"
)

// Terminal is a person, or a script of theirs, at a shell.
type Terminal struct {
	Wallet  *Wallet
	Err     io.Writer              // for people; never a secret
	Person  bool                   // stdin and stderr are a terminal
	Browser func(url string) error // opens an address, or nil
	Now     func() time.Time
}

// Request is the options of a sign-in.
type Request struct {
	Device    bool     // through a browser elsewhere
	NoBrowser bool     // only show the address
	Scopes    []string // at most these; none: all that the person has
	CAFile    string   // certificates to trust for this server, besides the system's
}

// Choose returns the default server: the last that was signed in to.
func (t *Terminal) Choose() (Origin, error) {
	all, err := t.Wallet.All()
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errors.New("you are not signed in to any server: sign in first: vexa-sso login " +
			"https://vexa.acme.example")
	}
	return all[0].Origin, nil
}

// SignIn signs the person in, and replaces an earlier sign-in to the same server, which is revoked.
func (t *Terminal) SignIn(ctx context.Context, origin Origin, r Request) (SignIn, error) {
	if r.CAFile != "" {
		path, err := filepath.Abs(r.CAFile)
		if err != nil {
			return SignIn{}, fmt.Errorf("finding the certificates to trust: %w", err)
		}
		r.CAFile = path
	}
	began := t.Now()
	unlock, err := t.Wallet.lock(ctx, origin, prompting, func() {
		t.tell("Another shell is signing in to %s. Waiting for it.\n", origin)
	})
	if err != nil {
		return SignIn{}, err
	}
	defer unlock()
	if in, err := t.Wallet.Note(origin); err == nil {
		if !in.Ended && in.SignedInAt.After(began) && slices.Equal(r.Scopes, in.Asked) {
			return in, nil // the other shell has just signed in
		}
		r.CAFile = cmp.Or(r.CAFile, in.CAFile)
	}
	return t.prompt(ctx, origin, r)
}

// prompt signs in. The lock prompting must be held.
func (t *Terminal) prompt(ctx context.Context, origin Origin, r Request) (SignIn, error) {
	server, err := t.server(ctx, origin, r.CAFile)
	if err != nil {
		return SignIn{}, err
	}
	var g grant
	if r.Device {
		g, err = server.byDevice(ctx, t.tell, r.Scopes, t.Now)
	} else {
		open := t.Browser
		if r.NoBrowser {
			open = nil
		}
		g, err = server.byBrowser(ctx, t.tell, open, r.Scopes, t.Now)
	}
	if err != nil {
		return SignIn{}, err
	}
	in := SignIn{
		Origin: origin, Account: server.whoIs(ctx, g.Access), Asked: r.Scopes, Scopes: g.scopes,
		SignedInAt: t.Now().UTC(), CAFile: r.CAFile, Secrets: &g.Secrets,
	}
	if err := t.keep(ctx, server, in); err != nil {
		server.end(context.WithoutCancel(ctx), g.Refresh) // nobody has it now
		return SignIn{}, err
	}
	return t.Wallet.Note(origin)
}

// keep stores a new sign-in. The earlier one is revoked, which need not succeed: it expires by itself.
func (t *Terminal) keep(ctx context.Context, server *Server, in SignIn) error {
	unlock, err := t.lock(ctx, in.Origin)
	if err != nil {
		return err
	}
	defer unlock()
	old, _ := t.Wallet.get(in.Origin) // what cannot be read is replaced all the same
	noKeyring, err := t.Wallet.put(in)
	if err != nil {
		return err
	}
	if noKeyring != nil && old.Kept != InFile { // said once
		t.sayFile(in.Origin, noKeyring)
	}
	if old.Secrets != nil && old.Secrets.Refresh != in.Secrets.Refresh {
		server.end(ctx, old.Secrets.Refresh)
	}
	return nil
}

// server fetches the metadata of a server: it is never cached.
func (t *Terminal) server(ctx context.Context, origin Origin, caFile string) (*Server, error) {
	client, err := newClient(caFile)
	if err != nil {
		return nil, err
	}
	return discover(ctx, client, origin)
}

// lock takes the lock renewing of a server, for at most lockTime.
func (t *Terminal) lock(ctx context.Context, origin Origin) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	return t.Wallet.lock(ctx, origin, renewing, func() {})
}

func (t *Terminal) tell(format string, args ...any) { fmt.Fprintf(t.Err, format, args...) }
