package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Terminal is a person, or a script of theirs, at a shell.
type Terminal struct {
	Wallet  *Wallet
	Err     io.Writer              // what people read; never a secret
	Person  bool                   // somebody is there and can be asked
	Browser func(url string) error // opens an address, or nil
	Now     func() time.Time
}

// Request is what a sign-in is to be like.
type Request struct {
	Device    bool     // through a browser elsewhere
	NoBrowser bool     // only show the address
	Scopes    []string // at most these; none: all that the person has
	CAFile    string   // certificates to trust for this server, besides the system's
}

// How long a token is good at least: for a program that asks for one each time, and for one that has to make do with it.
const (
	Soon    = time.Minute
	Lasting = 30 * time.Minute
)

const maxUnanswered = 3 // prompts in a row that nobody asked for: a loop must not fill a screen while its person sleeps

// SignInAgain is a sign-in that only a person can make good.
type SignInAgain struct {
	Origin Origin // "": any
	Why    string
}

func (e *SignInAgain) Error() string {
	command := "vexa-sso login"
	if e.Origin != "" {
		command += " " + string(e.Origin)
	}
	return e.Why + ": sign in again: " + command
}

// Choose returns the server that is meant where none is named: the last that was signed in to.
func (t *Terminal) Choose() (Origin, error) {
	all, err := t.Wallet.All()
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errors.New("you are not signed in to any server: sign in first: vexa-sso login https://vexa.acme.example")
	}
	return all[0].Origin, nil
}

// SignIn asks the person, and keeps what comes of it in the place of an earlier sign-in to the same server, which is ended.
func (t *Terminal) SignIn(ctx context.Context, origin Origin, r Request) (SignIn, error) {
	if r.CAFile != "" {
		path, err := filepath.Abs(r.CAFile)
		if err != nil {
			return SignIn{}, fmt.Errorf("finding the certificates to trust: %w", err)
		}
		r.CAFile = path
	}
	began := t.Now()
	unlock, err := t.Wallet.lock(ctx, origin, prompting, func() { t.tell("Another shell is signing in to %s. Waiting for it.\n", origin) })
	if err != nil {
		return SignIn{}, err
	}
	defer unlock()
	if in, err := t.Wallet.Note(origin); err == nil {
		if !in.Ended && in.SignedInAt.After(began) && slices.Equal(r.Scopes, in.Asked) {
			return in, nil // the other shell's is ours, too
		}
		r.CAFile = cmp.Or(r.CAFile, in.CAFile)
	}
	return t.prompt(ctx, origin, r)
}

// prompt signs in, with nobody else asking the person about the same server meanwhile.
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

// keep puts a new sign-in into the wallet. The one that was there is told to end, which need not succeed: it ends by itself in time.
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

// Token returns an access token for the server that is good for so long at least, if the server gives such, renewing it where needed:
// once, however many shells want one. A sign-in that has ended is begun anew if a person is there and has a browser; else the error is a *SignInAgain.
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

// renewed returns a good access token of the sign-in that is kept.
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

// renew trades the refresh token of a sign-in for a new pair, and keeps it. It runs under the lock.
func (t *Terminal) renew(ctx context.Context, in *SignIn) error {
	server, err := t.server(ctx, in.Origin, in.CAFile)
	if err != nil {
		return err
	}
	// What was sent is spent. From here to the wallet nobody interrupts, or the answer would be lost; the client's own time limit holds.
	// If it is lost on its way, a second request soon after has another: the server takes a spent token for half a minute.
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
	t.tell("The system's keyring cannot be used (%s). The sign-in is kept in %s, which only you may read.\n", plain(noKeyring.Error()), t.Wallet.path(origin))
}

// live returns a sign-in that has not ended, as far as is known here.
func (t *Terminal) live(origin Origin) (SignIn, error) {
	in, err := t.Wallet.get(origin)
	if err == nil && in.Secrets == nil {
		err = ended(origin)
	}
	return in, err
}

func ended(origin Origin) error {
	return &SignInAgain{Origin: origin, Why: "your sign-in to " + string(origin) + " has expired or was ended"}
}

// good says whether the access token lasts for so much longer.
func (t *Terminal) good(in SignIn, longer time.Duration) bool {
	return in.Secrets != nil && t.Now().Add(longer).Before(in.Secrets.AccessExpires)
}

func access(in SignIn) string {
	if in.Secrets == nil {
		return ""
	}
	return in.Secrets.Access
}

// askAgain prompts the person for a server that they were signed in to: one shell at a time, and not for ever.
func (t *Terminal) askAgain(ctx context.Context, origin Origin, why *SignInAgain) error {
	unlock, err := t.Wallet.lock(ctx, origin, prompting, func() { t.tell("Another shell is signing in to %s. Waiting for it.\n", origin) })
	if err != nil {
		return err
	}
	defer unlock()
	in, err := t.count(ctx, origin, why)
	if err != nil || in.Secrets != nil {
		return err // answered in the other shell
	}
	t.tell("%s.\n", upper(why.Why))
	_, err = t.prompt(ctx, origin, Request{Scopes: in.Asked, CAFile: in.CAFile})
	return err
}

// count writes down that the person is about to be asked, before they are, so that a prompt which is killed counts, too. After a few
// that nobody answered the person is left alone until they sign in by themselves. It returns the sign-in, which has secrets if there is
// nothing to ask for.
func (t *Terminal) count(ctx context.Context, origin Origin, why *SignInAgain) (SignIn, error) {
	unlock, err := t.lock(ctx, origin)
	if err != nil {
		return SignIn{}, err
	}
	defer unlock()
	in, err := t.Wallet.get(origin)
	if err != nil || in.Secrets != nil {
		return in, err
	}
	if in.Unanswered >= maxUnanswered {
		return in, &SignInAgain{Origin: origin, Why: fmt.Sprintf("%s, and %d times nobody finished signing in, so your browser is left alone", why.Why, in.Unanswered)}
	}
	in.Ended, in.Unanswered = true, in.Unanswered+1
	return in, t.Wallet.write(in)
}

// SignOut ends a sign-in at the server, and forgets it here. It is forgotten also when the server could not be told, which the error says.
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
		err = fmt.Errorf("%w\nThe sign-in is forgotten here, but the server still knows it: end it at %s/sso/tokens", err, origin)
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

// server finds the endpoints of an origin anew: where a server is, is not remembered from an earlier day.
func (t *Terminal) server(ctx context.Context, origin Origin, caFile string) (*Server, error) {
	client, err := newClient(caFile)
	if err != nil {
		return nil, err
	}
	return discover(ctx, client, origin)
}

// lock is for what reads and writes a sign-in.
func (t *Terminal) lock(ctx context.Context, origin Origin) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	return t.Wallet.lock(ctx, origin, renewing, func() {})
}

func (t *Terminal) tell(format string, args ...any) { fmt.Fprintf(t.Err, format, args...) }

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
