package proxy

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc"
)

// passByProvider sends a person who opens a page past their provider and straight back, and says whether it did: when the
// provider's word about them has grown old and it cannot be asked without them. A session goes at most once per session.renew,
// so that a provider that does not know the person any more makes no circle; programs are never sent and go on until the
// session ends.
func (p *Proxy) passByProvider(ex *exchange, r *http.Request, c *caller) bool {
	now := p.now()
	renew := p.cfg.Session.Renew
	switch {
	case c.credential != bySession || c.alone || now.Sub(c.account.ProvenAt) < renew:
		return false
	case r.Method != http.MethodGet || !isNavigation(r):
		return false
	case now.Sub(time.Unix(c.asked.Load(), 0)) < renew:
		return false
	}
	provider := p.provider(c.session.Provider)
	here := ex.here()
	if provider == nil || returnPath(here) != here {
		return false
	}
	if !p.answers(r.Context(), provider) {
		return false // the person would end up at an error of their browser's (S10)
	}
	c.asked.Store(now.Unix())
	first, err := p.sessions.AskOnce(r.Context(), c.session.ID, now, now.Add(-renew))
	if err == nil && first {
		a := attempt{ReturnTo: here, Renews: c.session.ID, Account: c.account.ID}
		ctx, cancel := context.WithTimeout(r.Context(), providerPatience)
		defer cancel()
		err = p.begin(ex, r.WithContext(ctx), provider, a, oidc.BeginOptions{Prompt: "none", LoginHint: hintOf(c)})
	}
	if err != nil {
		p.log.Warn("a session is not renewed now and goes on as it is", "session", c.session.ID, "provider", provider.Name(), "error", err)
		return false
	}
	return first
}

// answers says whether a provider answers, as far as that is known or found out in a moment.
func (p *Proxy) answers(ctx context.Context, provider *oidc.Provider) bool {
	ctx, cancel := context.WithTimeout(ctx, providerPatience)
	defer cancel()
	return provider.Ping(ctx) == nil
}

// hintOf tells the provider which of its sessions we mean: in its own words where it gave us some.
func hintOf(c *caller) string {
	if c.session.LogoutHint != "" {
		return c.session.LogoutHint
	}
	return c.account.Identity.Email
}

// passedBy continues when the provider has sent the person back: with its word, or without.
func (p *Proxy) passedBy(ex *exchange, r *http.Request, provider *oidc.Provider, a attempt, params url.Values) error {
	session, err := p.sessionOf(r.Context(), a)
	if err != nil {
		return asProblem(err)
	}
	if session.ID == "" { // it has ended meanwhile
		redirect(ex, a.ReturnTo)
		return nil
	}
	signIn, err := provider.Finish(r.Context(), a.Attempt, params)
	if err != nil {
		return p.notRenewed(ex, r, provider, a, session, asProblem(err))
	}
	account, err := p.accounts.Account(r.Context(), a.Account)
	if err != nil {
		return asProblem(err)
	}
	if signIn.Identity.Subject != account.Subject { // they are somebody else there by now: let them choose
		return p.begin(ex, r, provider, attempt{ReturnTo: a.ReturnTo}, oidc.BeginOptions{Prompt: promptFor(provider, "select_account")})
	}
	if _, err := p.prove(ex, r, provider, signIn); err != nil {
		return p.withRetry(asProblem(err), provider, a.ReturnTo)
	}
	if err := p.renewSession(r.Context(), session, signIn); err != nil {
		p.log.Warn("what the provider said anew about a session could not be written", "session", session.ID, "error", err)
	}
	p.metrics.signIns.WithLabelValues(provider.Name(), "renewed").Inc()
	redirect(ex, a.ReturnTo)
	return nil
}

// notRenewed: the provider wants to see the person, or refuses them, or could not say.
func (p *Proxy) notRenewed(ex *exchange, r *http.Request, provider *oidc.Provider, a attempt, session Session, pr *problem) error {
	p.metrics.signIns.WithLabelValues(provider.Name(), string(pr.Code)).Inc()
	switch pr.Code {
	case oidc.CodeLoginRequired:
		return p.begin(ex, r, provider, attempt{ReturnTo: a.ReturnTo}, oidc.BeginOptions{})
	case oidc.CodeSignInRefused, oidc.CodeAccessEnded, oidc.CodeTenantRefused, oidc.CodeGuestRefused:
		p.record(ex, r, mapping.Event{Event: mapping.EventSignInRefused, Account: a.Account, Provider: provider.Name(), Reason: string(pr.Code), CredentialID: session.ID})
		if err := p.endSession(r.Context(), session, "the provider refused to renew it"); err != nil {
			return asProblem(err)
		}
		return p.withRetry(pr, provider, a.ReturnTo)
	}
	p.log.Warn("a session is not renewed now and goes on as it is", "session", session.ID, "provider", provider.Name(), "error", pr.Err)
	redirect(ex, a.ReturnTo)
	return nil
}

// sessionOf is the session that an attempt renews; without an ID when it is no more. It is not looked for by its cookie, which
// does not come with an answer that is posted from another site.
func (p *Proxy) sessionOf(ctx context.Context, a attempt) (Session, error) {
	sessions, err := p.sessions.SessionsOf(ctx, a.Account)
	if err != nil {
		return Session{}, err
	}
	for _, s := range sessions {
		if s.ID == a.Renews {
			return s, nil
		}
	}
	return Session{}, nil
}

// renewSession keeps what the provider needs to hear or may say when the session ends. When the person signed in, and when the
// session ends at the latest, stay what they were.
func (p *Proxy) renewSession(ctx context.Context, s Session, signIn *oidc.SignIn) error {
	s.SID = cmp.Or(signIn.Identity.SID, s.SID)
	s.LogoutHint = cmp.Or(signIn.LogoutHint, s.LogoutHint)
	sealed, err := p.ring.Seal(keyring.ProviderToken, []byte(signIn.IDToken), []byte(s.ID))
	if err != nil {
		return err
	}
	s.SealedIDToken = sealed
	return p.sessions.RenewSession(ctx, s)
}
