package terminal

import (
	"context"
	"fmt"
	"strings"
)

// prompts in a row that nobody asked for: a loop must not fill a screen while its person sleeps
const maxUnanswered = 3

// SignInAgain is a sign-in that only a person can make good.
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

// askAgain prompts the person for a server that they were signed in to: one shell at
// a time, and not for ever.
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

// countPrompt writes down that the person is about to be asked, before they are, so that a prompt which is
// killed counts, too. After a few that nobody answered the person is left alone until they sign in by
// themselves. It returns the sign-in, which has secrets if there is nothing to ask for.
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

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
