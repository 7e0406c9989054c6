package mapping

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// serviceEvery is how often ProvenAt of a service is written while its tokens say nothing new.
const serviceEvery = time.Minute

// Present returns the account of whoever shows a provider's access token, made and bound when there is none
// and a rule grants it. What its Identity then says is what to decide by for this token ([Accounts.Decide]);
// it is not what the store has.
//
// A program proves itself with each of its tokens, and with nothing else: its account has the identity of the
// newest.
//
// A person's token may say less than their sign-in did, so their account stays as it is, and the two are read
// together:
//
//   - The token's claims go over the account's as far as it has any: its groups where it lists them, its
//     roles, its email, its claims one by one. What it is silent about is as the account has it.
//   - Where the provider has vouched for the account since it issued the token, its newer word limits what
//     the older token gives: both have to allow (Account.Within).
//   - Where the provider has not vouched for the account within Config.MaxOffline, the token's word alone
//     counts. What it is silent about, groups above all, is then not known: that grants nothing, and denies
//     where a rule asks (mapping/rule/silence.go). So it is where there is no account yet.
//   - A rule that denies the account denies its tokens, whatever they say: else the silence of a token would
//     be a way around.
//
// The error is an *Error: no rule grants it anything and there is no account; the account is pending or
// suspended; or it is a person's, and all it had was ended: they have to sign in before their tokens are
// taken again.
func (a *Accounts) Present(ctx context.Context, t oidc.AccessToken) (Account, error) {
	acc, err := a.AccountBySubject(ctx, t.Identity.Subject)
	switch {
	case errors.Is(err, ErrNotFound) && t.Identity.Kind == oidc.User &&
		a.rules.Current().DeniesSilent(t.Identity):
		return Account{}, errSilent()
	case errors.Is(err, ErrNotFound):
		return a.introduce(ctx, t)
	case err != nil:
		return Account{}, err
	case acc.Kind != t.Identity.Kind:
		return Account{}, &Error{
			Code: CodeUnauthenticated,
			Message: "This access token is a program’s and the account a person’s, or the reverse. Use an " +
				"access token of the account itself.",
		}
	case acc.Kind == oidc.Service:
		return a.presentService(ctx, acc, t)
	}
	if err := statusError(acc); err != nil {
		return acc, err
	}
	return a.overlaid(acc, t)
}

// errSilent refuses a token that says too little for a rule that denies to be ruled out.
func errSilent() error {
	return &Error{
		Code: rule.CodeDeniedByRule,
		Message: "A rule denies access to some people, and this access token does not say whether you are " +
			"one of them. Sign in with a browser once.",
	}
}

// introduce writes the identity of a token to its account, like that of a sign-in.
func (a *Accounts) introduce(ctx context.Context, t oidc.AccessToken) (Account, error) {
	acc, d, err := a.SignIn(ctx, t.Identity, "")
	switch {
	case err != nil:
		return acc, err
	case acc.ID == "":
		return acc, &Error{Code: d.Code, Message: d.Reason}
	}
	return acc, statusError(acc)
}

// presentService writes what the token says of a service where that is news, and from time to time that it
// was vouched for.
func (a *Accounts) presentService(ctx context.Context, acc Account, t oidc.AccessToken) (Account, error) {
	switch {
	case acc.Status != Active:
		return acc, statusError(acc)
	case acc.ProvenAt.IsZero(), !reflect.DeepEqual(lasting(acc.Identity), lasting(t.Identity)):
		return a.introduce(ctx, t)
	case a.now().Sub(acc.ProvenAt) < serviceEvery:
		return acc, nil
	}
	err := a.change(ctx, "write that a service was vouched for", func(c *change) (err error) {
		if acc, err = c.Account(acc.ID); err != nil {
			return err
		}
		if acc.ProvenAt.IsZero() { // all it had was ended at this moment: its next token begins anew
			return nil
		}
		acc.ProvenAt = c.now
		return c.PutAccount(acc)
	})
	if err != nil {
		return acc, asError(err)
	}
	return acc, statusError(acc)
}

// ofOneToken are the claims that differ in each token of the same caller.
var ofOneToken = []string{"iat", "nbf", "exp", "jti", "auth_time", "sid"}

// lasting is an identity without what differs in each token.
func lasting(id oidc.Identity) oidc.Identity {
	id.SID = ""
	id.Claims = maps.Clone(id.Claims)
	for _, name := range ofOneToken {
		delete(id.Claims, name)
	}
	return id
}

// overlaid returns a person's account with the identity to decide by for one token, as Present says.
func (a *Accounts) overlaid(acc Account, t oidc.AccessToken) (Account, error) {
	if d := a.decide(acc); d.Code == rule.CodeDeniedByRule {
		return acc, &Error{Code: d.Code, Message: d.Reason}
	}
	own := acc.Identity.Forget(a.forgotten())
	acc.Presented = true
	if a.now().Sub(acc.ProvenAt) > a.maxOffline {
		if a.rules.Current().DeniesSilent(t.Identity) {
			return acc, errSilent()
		}
		acc.Identity = t.Identity
		return acc, nil
	}
	acc.Identity = overlay(own, t.Identity)
	if t.IssuedAt.Before(acc.ProvenAt.Truncate(time.Second)) { // providers give whole seconds
		acc.Within = &own
	}
	return acc, nil
}

// overlay lays what a token says over what is known of its person.
func overlay(own, said oidc.Identity) oidc.Identity {
	id := own
	id.Provider, id.SID = said.Provider, said.SID
	if said.GroupsComplete || len(said.Groups) > 0 {
		id.Groups, id.GroupsByID = said.Groups, said.GroupsByID
		id.GroupsComplete, id.GroupsProblem = said.GroupsComplete, said.GroupsProblem
	}
	if len(said.Roles) > 0 {
		id.Roles = said.Roles
	}
	if said.Email != "" { // one that is not proven is none
		id.Email, id.EmailTrusted = said.Email, said.EmailTrusted
	}
	if said.Name != "" {
		id.Name = said.Name
	}
	id.Claims = maps.Clone(own.Claims)
	if id.Claims == nil {
		id.Claims = map[string]any{}
	}
	maps.Copy(id.Claims, said.Claims)
	id.Unsaid = slices.DeleteFunc(slices.Clone(own.Unsaid), func(name string) bool {
		return name == oidc.SaidGroups && said.GroupsComplete ||
			name == oidc.SaidRoles && len(said.Roles) > 0 ||
			name == oidc.SaidEmail && said.Email != "" || said.Claims[name] != nil
	})
	return id
}
