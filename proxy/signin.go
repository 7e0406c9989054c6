package proxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

const (
	maxLoginHint = 320 // characters; as long as an email address can be
	maxFormBody  = 64 << 10
)

// login starts a sign-in: a person's own, or one that an identity provider asked for (OpenID Connect Core section 4, an Okta
// tile). Only navigations start one.
func (p *Proxy) login(ex *exchange, r *http.Request) error {
	if r.Method != http.MethodGet {
		return refuse("method_not_allowed", "")
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return refuse("unauthenticated", "Open this address in a browser to sign in.")
	}
	q := r.URL.Query()
	returnTo := returnPath(q.Get("return_to"))
	if target := q.Get("target_link_uri"); target != "" {
		returnTo = p.returnTarget(target)
	}
	hint := q.Get("login_hint")
	if len(hint) > maxLoginHint || !printable(hint) {
		hint = ""
	}
	fresh := q.Get("fresh") == "1"
	provider, problem := p.chooseProvider(q, hint)
	if c := p.holder(r); fresh && c != nil {
		provider, hint = cmp.Or(provider, p.provider(c.session.Provider)), cmp.Or(hint, hintOf(c))
	}
	if provider == nil {
		p.pages.Choose(ex, r, p.choosePage(returnTo, hint, problem))
		return nil
	}
	a := attempt{ReturnTo: returnTo, Recent: p.recentSignIns(r), Fresh: fresh}
	o := oidc.BeginOptions{LoginHint: hint, Prompt: promptFor(provider, q.Get("prompt"))}
	if (o.Prompt == "" || fresh) && len(a.Recent) >= loopSignIns {
		return p.withRetry(p.loop(r), provider, returnTo)
	}
	if fresh {
		o.Prompt, o.MaxAge = "login", oldest(provider)
	}
	return p.begin(ex, r, provider, a, o)
}

// holder is whom the browser's cookie stands for; nil where that cannot be told.
func (p *Proxy) holder(r *http.Request) *caller {
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	if cookie == "" {
		return nil
	}
	c, err := p.sessionOfCookie(r, cookie)
	if err != nil {
		return nil
	}
	return c
}

// oldest is the oldest sign-in at the provider that will do where a fresh one is wanted: none. A provider that is asked so must say
// when the person signed in (OpenID Connect Core 1.0, section 2). Entra doesn't know of max_age=0.
func oldest(provider *oidc.Provider) *time.Duration {
	if provider.Type() == oidc.TypeEntra {
		return nil
	}
	return new(time.Duration)
}

// begin sends the browser to the provider, with the attempt in a cookie of its own.
func (p *Proxy) begin(ex *exchange, r *http.Request, provider *oidc.Provider, a attempt, o oidc.BeginOptions) error {
	location, begun, err := provider.Begin(r.Context(), o)
	if err != nil {
		return p.withRetry(asProblem(err), provider, a.ReturnTo)
	}
	a.Attempt = begun
	if err := p.attempts.keep(ex, r, a, provider.UsesFormPost()); err != nil {
		return fail("internal_error", err)
	}
	p.leave(ex, r, location, provider)
	return nil
}

// leave sends a browser to a provider. After a form of ours a redirect would be held to the page's form-action, along every hop
// to whatever the provider federates with; so a form is answered with a page that leads on.
func (p *Proxy) leave(ex *exchange, r *http.Request, location string, provider *oidc.Provider) {
	h := r.Header
	if h.Get("Sec-Fetch-Site") == "same-origin" && h.Get("Sec-Fetch-Mode") == "navigate" && (r.Method == http.MethodPost || r.URL.Query().Has("login_hint")) {
		p.pages.Continue(ex, r, page.Continue{To: location, Where: provider.Title()})
		return
	}
	redirect(ex, location)
}

// promptFor is how "with another account" is said to a provider. Nothing else that a request asks for reaches it (C9).
func promptFor(provider *oidc.Provider, wanted string) string {
	switch {
	case wanted != "login" && wanted != "select_account":
		return ""
	case provider.Type() == oidc.TypeEntra:
		return "select_account"
	}
	return "login"
}

// chooseProvider finds out where to sign in: the only one there is, the one that was named, the issuer that asked, or the one
// that the address belongs to. It returns nil where a person has to choose, and why a given address did not help.
func (p *Proxy) chooseProvider(q url.Values, hint string) (*oidc.Provider, string) {
	if name := q.Get("provider"); name != "" {
		return p.provider(name), ""
	}
	if iss := q.Get("iss"); iss != "" {
		for _, provider := range p.providers {
			if provider.HandlesIssuer(iss) {
				return provider, ""
			}
		}
		return nil, ""
	}
	if len(p.providers) == 1 {
		return p.providers[0], ""
	}
	if hint == "" {
		return nil, ""
	}
	var found []*oidc.Provider
	if _, domain, ok := strings.Cut(hint, "@"); ok {
		for _, provider := range p.providers {
			if provider.HandlesDomain(domain) {
				found = append(found, provider)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, "We don’t know where that address signs in. Choose below."
	case 1:
		return found[0], ""
	}
	return nil, "That address can sign in in more than one place. Choose below."
}

func (p *Proxy) provider(name string) *oidc.Provider {
	for _, provider := range p.providers {
		if provider.Name() == name {
			return provider
		}
	}
	return nil
}

func (p *Proxy) choosePage(returnTo, hint, problem string) page.Choose {
	v := page.Choose{ReturnTo: returnTo, Email: hint, EmailProblem: problem}
	for _, provider := range p.providers {
		v.Providers = append(v.Providers, page.Provider{Name: provider.Name(), Title: provider.Title(), Type: provider.Type()})
		v.AskEmail = v.AskEmail || provider.KnowsDomains()
		if origin := provider.AuthorizationOrigin(); origin != "" {
			v.FormActionOrigins = append(v.FormActionOrigins, origin)
		}
	}
	return v
}

// callback finishes a sign-in: the answer must belong to an attempt that this browser started, at this provider.
func (p *Proxy) callback(ex *exchange, r *http.Request) error {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil {
		return refuse("not_found", "")
	}
	params, err := callbackParameters(ex, r)
	if err != nil {
		return err
	}
	if len(params["state"]) != 1 {
		return refuse("sign_in_invalid", "")
	}
	done, ok := p.callbacks.begin()
	if !ok {
		return refuse("rate_limited", "Too many people are signing in at this moment.")
	}
	defer done()
	a, ok := p.attempts.take(ex, r, params.Get("state"), provider.UsesFormPost())
	if !ok {
		return p.deadAttempt(ex, r, provider)
	}
	if a.Renews != "" && a.Provider == provider.Name() {
		return p.passedBy(ex, r, provider, a, params)
	}
	result := "error"
	defer func() { p.metrics.signIns.WithLabelValues(provider.Name(), result).Inc() }()
	signIn, err := provider.Finish(r.Context(), a.Attempt, params)
	if err == nil && a.Fresh {
		err = checkFresh(provider, a, signIn)
	}
	if err != nil {
		pr := asProblem(err)
		result = string(pr.Code)
		if p.callbacks.mayAudit(ex.start) {
			p.record(ex, r, mapping.Event{Event: mapping.EventSignInRefused, Provider: provider.Name(), Reason: result})
		}
		return p.withRetry(pr, provider, a.ReturnTo)
	}
	err = p.admit(ex, r, provider, a, signIn)
	if err != nil {
		pr := asProblem(err)
		result = string(pr.Code)
		return p.withRetry(pr, provider, a.ReturnTo)
	}
	result = "success"
	p.countSignIn(ex, a.Recent)
	redirect(ex, a.ReturnTo)
	return nil
}

// providerLate is how far a provider's clock may be behind ours.
const providerLate = time.Minute

// checkFresh holds a provider that was asked to have the person prove themselves again to having done so. Entra says when that was
// only where the application's optional claims have auth_time; of it we know that it was asked.
func checkFresh(provider *oidc.Provider, a attempt, signIn *oidc.SignIn) error {
	unsaid := signIn.AuthTime.IsZero()
	if unsaid && provider.Type() == oidc.TypeEntra || !unsaid && !signIn.AuthTime.Before(a.IssuedAt.Add(-providerLate)) {
		return nil
	}
	return &problem{
		Code: "login_required", Detail: "Your identity provider did not ask you to prove again that it is you.", Err: errors.New("the sign-in is not as fresh as was asked for"),
		Remedy: "see whether the provider obeys prompt=login and max_age=0, and says auth_time",
	}
}

// provenAt is when the person proved to the provider that it is them, by our clock; zero when the provider doesn't say. Who is
// signed in there already comes back without having proven anything.
func (p *Proxy) provenAt(a attempt, signIn *oidc.SignIn) time.Time {
	now := p.now()
	if a.Fresh || signIn.AuthTime.After(now) {
		return now
	}
	return signIn.AuthTime
}

// callbackParameters reads the answer: from the query, or, with response_mode form_post, from the form.
func callbackParameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	switch r.Method {
	case http.MethodGet:
		params, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, refuseBecause("sign_in_invalid", "", err)
		}
		return params, nil
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
		if err := r.ParseForm(); err != nil {
			return nil, refuseBecause("sign_in_invalid", "", err)
		}
		return r.PostForm, nil
	}
	return nil, refuse("method_not_allowed", "")
}

// deadAttempt answers a callback whose attempt this browser no longer has: a person who went back, or opened it twice. If they
// are signed in, nothing is lost.
func (p *Proxy) deadAttempt(ex *exchange, r *http.Request, provider *oidc.Provider) error {
	if _, err := p.identify(ex, r); err == nil {
		redirect(ex, "/sso/")
		return nil
	}
	return p.withRetry(refuse("sign_in_expired", ""), provider, "")
}

// admit lets a proven identity in: the rules decide, the account is found or made, and the browser gets a session with a new
// id, whatever session it had before (D2).
func (p *Proxy) admit(ex *exchange, r *http.Request, provider *oidc.Provider, a attempt, signIn *oidc.SignIn) error {
	event, err := p.prove(ex, r, provider, signIn)
	if err != nil {
		return err
	}
	p.endCookieSession(r, "replaced by a new sign-in")
	session, err := p.startSession(ex, r, provider, event.Account, p.provenAt(a, signIn), signIn)
	if err != nil {
		return err
	}
	event.Event, event.CredentialID = mapping.EventSignIn, session.ID
	p.record(ex, r, event)
	return nil
}

// prove writes a proven identity to its account and keeps the means to ask the provider again. It returns what the audit is to
// say of it; a refusal is recorded already.
func (p *Proxy) prove(ex *exchange, r *http.Request, provider *oidc.Provider, signIn *oidc.SignIn) (mapping.Event, error) {
	account, decision, err := p.accounts.SignIn(r.Context(), signIn.Identity)
	event := mapping.Event{Event: mapping.EventSignInRefused, Provider: provider.Name(), Account: account.ID, Rules: decision.Matched()}
	if account.ID == "" {
		event.Actor = signIn.Identity.Subject // nobody else knows who it was
	}
	p.metrics.decisions.WithLabelValues(decisionResult(decision)).Inc()
	switch {
	case err != nil:
	case !decision.Allowed:
		err = &problem{Code: Code(decision.Code), Detail: decision.Reason, Facts: identityFacts(provider, signIn.Identity)}
	case account.Status == mapping.Suspended:
		err = refuse("suspended", "")
	}
	if err == nil {
		err = p.accounts.Keep(r.Context(), account, signIn.RefreshToken)
	}
	if err != nil {
		event.Reason = string(asProblem(err).Code)
		p.record(ex, r, event)
	}
	return event, err
}

func (p *Proxy) startSession(ex *exchange, r *http.Request, provider *oidc.Provider, account string, proven time.Time, signIn *oidc.SignIn) (Session, error) {
	id, err := randomID(p.random)
	if err != nil {
		return Session{}, fail("internal_error", err)
	}
	now := p.now()
	session := Session{
		ID: "ses_" + id[:16], AccountID: account, Provider: provider.Name(), SID: signIn.Identity.SID,
		AuthTime: proven, CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(p.cfg.Session.Lifetime), LogoutHint: signIn.LogoutHint,
	}
	if signIn.IDToken != "" {
		if session.SealedIDToken, err = p.ring.Seal(keyring.ProviderToken, []byte(signIn.IDToken), []byte(session.ID)); err != nil {
			return Session{}, fail("internal_error", err)
		}
	}
	if err := p.cookies.start(ex, r, session); err != nil {
		return Session{}, asProblem(err)
	}
	return session, nil
}

// endCookieSession ends the session that a request's cookie stands for, if there is one.
func (p *Proxy) endCookieSession(r *http.Request, reason string) {
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	if cookie == "" {
		return
	}
	if c, err := p.sessionOfCookie(r, cookie); err == nil {
		if err := p.endSession(r.Context(), c.session, reason); err != nil {
			p.log.Warn("a session that was replaced could not be ended; it expires by itself", "session", c.session.ID, "error", err)
		}
	}
}

// endSession ends a session everywhere, here at once.
func (p *Proxy) endSession(ctx context.Context, s Session, reason string) error {
	revocation := mapping.Revocation{At: p.now(), Kind: mapping.RevokeSession, Account: s.AccountID, Session: s.ID, Reason: reason}
	if err := p.accounts.Revoke(ctx, revocation, s.AccountID); err != nil {
		return err
	}
	p.Apply(revocation)
	return nil
}

// record writes an audit event with where it came from.
func (p *Proxy) record(ex *exchange, r *http.Request, e mapping.Event) {
	e.Address, e.TraceID, e.TookMS = ex.address, ex.traceID, p.now().Sub(ex.start).Milliseconds()
	if err := p.accounts.Record(context.WithoutCancel(r.Context()), e); err != nil {
		p.log.Warn("an audit event is on the log only", "event", e.Event, "error", err)
	}
}

// withRetry adds to a problem with a sign-in what a person can do about it.
func (p *Proxy) withRetry(pr *problem, provider *oidc.Provider, returnTo string) *problem {
	q := url.Values{"provider": {provider.Name()}}
	if returnTo != "" {
		q.Set("return_to", returnTo)
	}
	again := page.Link{Label: "Try again", Href: "/sso/login?" + q.Encode()}
	q.Set("prompt", "select_account")
	other := page.Link{Label: "Use another account", Href: "/sso/login?" + q.Encode()}
	if outcomes[pr.Code].Status == http.StatusForbidden {
		pr.Actions = []page.Link{other}
	} else {
		pr.Actions = []page.Link{again, other}
	}
	return pr
}

// identityFacts is what a person who was refused can tell an admin.
func identityFacts(provider *oidc.Provider, id oidc.Identity) []page.Fact {
	facts := []page.Fact{{Name: "Signed in through", Value: provider.Title()}}
	switch {
	case id.Email != "":
		facts = append(facts, page.Fact{Name: "As", Value: id.Email})
	case id.UnprovenEmail != "":
		facts = append(facts, page.Fact{Name: "As", Value: id.UnprovenEmail + " (not verified)"})
	case id.Name != "":
		facts = append(facts, page.Fact{Name: "As", Value: id.Name})
	}
	return facts
}
