package terminal

import (
	"context"
	"fmt"
	"strings"
)

// unanswered prompts in a row: a loop must not fill a screen while its person sleeps
const maxUnanswered = 3

// SignInAgain is the error of a sign-in that has ended: only a person can start another.
type SignInAgain struct {
	Origin Origin
	Why    string
}

func (e *SignInAgain) Error() string {
	return e.Why + ": sign in again: vexa-sso login " + string(e.Origin)
}

func ended(origin Origin) error {
	return &SignInAgain{
		Origin: origin, Why: "your sign-in to " + string(origin) + " has expired or was ended",
	}
}

// askAgain prompts the person to sign in again: in one shell at a time, and at most maxUnanswered times.
func (t *Terminal) askAgain(ctx context.Context, origin Origin, why *SignInAgain) error {
	unlock, err := t.Wallet.lock(ctx, origin, prompting, func() {
		t.tell("Another shell is signing in to %s. Waiting for it.\n", origin)
	})
	if err != nil {
		return err
	}
	defer unlock()
	in, err := t.countPrompt(ctx, origin, why)
	if err != nil || in.Secrets != nil {
		return err // answered in the other shell
	}
	t.tell("%s.\n", upper(why.Why))
	_, err = t.prompt(ctx, origin, Request{Scopes: in.Asked, CAFile: in.CAFile})
	return err
}

// countPrompt counts a prompt before it is shown, so that one which is killed counts too, and returns a
// *SignInAgain beyond maxUnanswered. It returns the sign-in, which has secrets if another shell has signed in
// meanwhile.
func (t *Terminal) countPrompt(ctx context.Context, origin Origin, why *SignInAgain) (SignIn, error) {
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
		return in, &SignInAgain{Origin: origin, Why: fmt.Sprintf("%s, and %d times nobody finished signing "+
			"in, so your browser is left alone", why.Why, in.Unanswered)}
	}
	in.Ended, in.Unanswered = true, in.Unanswered+1
	return in, t.Wallet.write(in)
}

// upper returns text with its first letter in upper case.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
