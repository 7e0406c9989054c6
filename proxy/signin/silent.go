package signin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// PassByProvider starts a silent renewal (prompt=none) when a person opens a page, and reports whether it
// did: when what the provider last said about them is older than session.renew and it cannot be asked in the
// background, or says less there than rules read. A session is sent at most once per session.renew, so that a
// provider that does not know the person any more makes no redirect loop; programs are never sent and go on
// until the session ends.
func (f *Flow) PassByProvider(ex *exchange.Exchange, r *http.Request, c *caller.Caller) bool {
	now := f.edge.Now()
	renew := f.cfg.Renew
	switch {
	case c.Credential != caller.BySession || now.Sub(c.Account.ProvenAt) < renew:
		return false
	case c.RenewsInBackground && !c.Account.Identity.Thin():
		return false // and there is nothing that only a sign-in tells
	case r.Method != http.MethodGet || !exchange.IsNavigation(r):
		return false
	case now.Sub(time.Unix(c.Asked.Load(), 0)) < renew:
		return false
	}
	provider := f.providers.ByName(c.Session.Provider)
	here := ex.Here()
	if provider == nil || exchange.ReturnPath(here) != here {
		return false
	}
	if f.provenMeanwhile(r.Context(), c, now) {
		return false
	}
	if !f.reachable(r.Context(), provider) {
		return false // the person would end up at an error of their browser's (S10)
	}
	c.Asked.Store(now.Unix())
	first, err := f.sessions.AskOnce(r.Context(), c.Session.ID, now, now.Add(-renew))
	if err == nil && first {
		a := attempt{ReturnTo: here, Renews: c.Session.ID, Account: c.Account.ID}
		ctx, cancel := context.WithTimeout(r.Context(), ProviderPatience)
		defer cancel()
		err = f.begin(ex, r.WithContext(ctx), provider, a,
			oidc.BeginOptions{Prompt: "none", LoginHint: hintOf(c)})
	}
	if err != nil {
		f.edge.Log.Warn("session not renewed; it goes on until its own end", "session", c.Session.ID,
			"provider", provider.Name(), "error", err)
		return false
	}
	return first
}

// provenMeanwhile reports whether the provider has vouched for the person since this replica read their
// account: others are not told of that where it changed nothing.
func (f *Flow) provenMeanwhile(ctx context.Context, c *caller.Caller, now time.Time) bool {
	account, err := f.accounts.Account(ctx, c.Account.ID)
	if err != nil || now.Sub(account.ProvenAt) >= f.cfg.Renew {
		return false
	}
	c.Asked.Store(account.ProvenAt.Unix())
	return true
}

// reachable reports whether a provider answers, as far as that is known or found out in a moment.
func (f *Flow) reachable(ctx context.Context, provider *oidc.Provider) bool {
	ctx, cancel := context.WithTimeout(ctx, ProviderPatience)
	defer cancel()
	return provider.Ping(ctx) == nil
}

// hintOf returns the login_hint for a session: the provider's own (claim login_hint) where it gave one, else
// the email.
func hintOf(c *caller.Caller) string {
	if c.Session.LogoutHint != "" {
		return c.Session.LogoutHint
	}
	return c.Account.Identity.Email
}

// finishRenewal handles the provider's response to a silent renewal, whether or not it renewed the session.
func (f *Flow) finishRenewal(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, a attempt, params url.Values,
) error {
	session, err := f.sessionOf(r.Context(), a)
	if err != nil {
		return exchange.AsProblem(err)
	}
	if session.ID == "" { // it has ended meanwhile
		exchange.Redirect(ex, a.ReturnTo)
		return nil
	}
	signIn, err := provider.Finish(r.Context(), a.Attempt, params)
	if err != nil {
		return f.notRenewed(ex, r, provider, a, session, err)
	}
	account, err := f.accounts.Account(r.Context(), a.Account)
	if err != nil {
		return exchange.AsProblem(err)
	}
	if signIn.Identity.Subject != account.Subject { // somebody else is signed in there: let them choose
		return f.begin(ex, r, provider, attempt{ReturnTo: a.ReturnTo},
			oidc.BeginOptions{Prompt: promptFor(provider, "select_account")})
	}
	if _, err := f.recordIdentity(ex, r, provider, signIn); err != nil {
		return withRetry(exchange.AsProblem(err), provider, a.ReturnTo)
	}
	if err := f.renewSession(r.Context(), session, signIn); err != nil {
		f.edge.Log.Warn("renewed session could not be stored; it goes on as it was",
			"session", session.ID, "error", err)
	}
	f.edge.Metrics.SignIns.WithLabelValues(provider.Name(), "renewed").Inc()
	exchange.Redirect(ex, a.ReturnTo)
	return nil
}

// notRenewed handles an error response to a silent renewal: the provider requires a login, says that the
// person is gone, or says something that nobody understands, which ends nothing (S13).
func (f *Flow) notRenewed(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, a attempt,
	session caller.Session, why error,
) error {
	pr := exchange.AsProblem(why)
	f.edge.Metrics.SignIns.WithLabelValues(provider.Name(), string(pr.Code)).Inc()
	said, _ := errors.AsType[*oidc.Error](why)
	switch {
	case pr.Code == oidc.CodeLoginRequired:
		return f.begin(ex, r, provider, attempt{ReturnTo: a.ReturnTo}, oidc.BeginOptions{})
	case said != nil && said.Outcome == oidc.OutcomeGone:
		f.edge.Record(ex, r, mapping.Event{
			Event: mapping.EventSignInRefused, Account: a.Account, Provider: provider.Name(),
			Reason: string(pr.Code), CredentialID: session.ID,
		})
		if err := f.ender.AccessEnded(r.Context(), a.Account, provider.Name(), said); err != nil {
			return exchange.AsProblem(err)
		}
		return withRetry(pr, provider, a.ReturnTo)
	}
	f.edge.Log.Warn("session not renewed; it goes on until its own end", "session", session.ID,
		"provider", provider.Name(), "error", pr.Err)
	exchange.Redirect(ex, a.ReturnTo)
	return nil
}

// sessionOf returns the session that an attempt renews; without an ID when it has ended. It is not looked up
// by its cookie, which browsers do not send with a cross-site POST (form_post).
func (f *Flow) sessionOf(ctx context.Context, a attempt) (caller.Session, error) {
	sessions, err := f.sessions.SessionsOf(ctx, a.Account)
	if err != nil {
		return caller.Session{}, err
	}
	for _, s := range sessions {
		if s.ID == a.Renews {
			return s, nil
		}
	}
	return caller.Session{}, nil
}

// renewSession stores the new SID, ID token and logout hint of a session. When the person signed in, and when
// the session ends at the latest, stay what they were.
func (f *Flow) renewSession(ctx context.Context, s caller.Session, signIn *oidc.SignIn) error {
	s.SID = cmp.Or(signIn.Identity.SID, s.SID)
	s.LogoutHint = cmp.Or(signIn.LogoutHint, s.LogoutHint)
	sealed, err := f.ring.Seal(keyring.ProviderToken, []byte(signIn.IDToken), []byte(s.ID))
	if err != nil {
		return err
	}
	s.SealedIDToken = sealed
	return f.sessions.RenewSession(ctx, s)
}
