package signin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

const (
	maxLoginHint = 320 // characters; as long as an email address can be
	maxFormBody  = 64 << 10
)

// Flow signs browsers in and out, and renews their sessions.
type Flow struct {
	edge      *exchange.Edge
	cfg       caller.SessionConfig
	callers   *caller.Identifier
	accounts  Accounts
	ender     Ender
	sessions  caller.SessionStore
	providers oidc.Providers
	ring      *keyring.Ring
	attempts  *attemptCookies
	callbacks *callbacks
	refusals  *refusals
}

// Deps are the dependencies of a Flow.
type Deps struct {
	Edge      *exchange.Edge
	Callers   *caller.Identifier
	Accounts  Accounts
	Ender     Ender
	Sessions  caller.SessionStore
	Providers oidc.Providers
	Ring      *keyring.Ring
}

// Accounts is the port to accounts. *mapping.Accounts implements it.
type Accounts interface {
	Account(ctx context.Context, id string) (mapping.Account, error)
	SignIn(ctx context.Context, id oidc.Identity, refreshToken string) (mapping.Account, rule.Decision, error)
	BeginSession(ctx context.Context, s mapping.SessionStart) (ended []mapping.Revocation, err error)
}

// Ender revokes: for good, on this replica at once and on the others within a second. Apply does what is left
// on this replica after something was revoked. *proxy.Proxy implements it.
type Ender interface {
	Apply(r mapping.Revocation)
	End(ctx context.Context, r mapping.Revocation, actor string) error
	AccessEnded(ctx context.Context, account, provider string, said *oidc.Error) error
}

// New returns a Flow. It does not use the network.
func New(cfg caller.SessionConfig, d Deps) *Flow {
	return &Flow{
		edge: d.Edge, cfg: cfg, callers: d.Callers, accounts: d.Accounts,
		ender: d.Ender, sessions: d.Sessions,
		providers: d.Providers, ring: d.Ring, callbacks: newCallbacks(),
		attempts: newAttemptCookies(d.Ring.Codec(keyring.SignInAttempt, attemptLifetime, d.Edge.Now),
			d.Edge.Now),
		refusals: &refusals{d.Ring.Codec(keyring.RefusedSignIn, refusedLifetime, d.Edge.Now)},
	}
}

// Login starts a sign-in: a person's own, or one that a third party initiated (OpenID Connect Core section 4,
// an Okta tile). Only navigations start one.
func (f *Flow) Login(ex *exchange.Exchange, r *http.Request) error {
	if r.Method != http.MethodGet {
		return exchange.Refuse("method_not_allowed", "")
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return exchange.Refuse("unauthenticated", "Open this address in a browser to sign in.")
	}
	q := r.URL.Query()
	returnTo := exchange.ReturnPath(q.Get("return_to"))
	if target := q.Get("target_link_uri"); target != "" {
		returnTo = ex.Site.ReturnTarget(target)
	}
	hint := q.Get("login_hint")
	if len(hint) > maxLoginHint || !exchange.Printable(hint) {
		hint = ""
	}
	fresh := q.Get("fresh") == "1"
	provider, problem := f.chooseProvider(q, hint)
	if c := f.sessionCaller(ex, r); fresh && c != nil {
		provider, hint = cmp.Or(provider, f.providers.ByName(c.Session.Provider)), cmp.Or(hint, hintOf(c))
	}
	if provider == nil {
		f.edge.Pages.Choose(ex, r, f.choosePage(returnTo, hint, problem))
		return nil
	}
	a := attempt{ReturnTo: returnTo, Recent: f.recentSignIns(ex, r), Fresh: fresh}
	o := oidc.BeginOptions{LoginHint: hint, Prompt: promptFor(provider, q.Get("prompt"))}
	if (o.Prompt == "" || fresh) && len(a.Recent) >= loopSignIns {
		return withRetry(f.loop(ex, r), provider, returnTo)
	}
	if fresh {
		o.Prompt, o.MaxAge = "login", provider.MaxAgeForFreshSignIn()
	}
	return f.begin(ex, r, provider, a, o)
}

// sessionCaller returns the caller of the session cookie, or nil if there is no valid one.
func (f *Flow) sessionCaller(ex *exchange.Exchange, r *http.Request) *caller.Caller {
	c, err := f.callers.OfCookie(ex.Site, r)
	if err != nil {
		return nil
	}
	return c
}

// begin redirects the browser to the provider, with the attempt in a cookie.
func (f *Flow) begin(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, a attempt, o oidc.BeginOptions,
) error {
	location, begun, err := provider.Begin(r.Context(), o)
	if err != nil {
		return withRetry(exchange.AsProblem(err), provider, a.ReturnTo)
	}
	a.Attempt = begun
	if err := f.attempts.keep(ex, r, a, provider.UsesFormPost()); err != nil {
		return exchange.Fail("internal_error", err)
	}
	return f.sendToProvider(ex, r, location, provider)
}

// sendToProvider sends the browser to a provider. After a form of ours a redirect would be held to the page's
// form-action, along every hop to whatever the provider federates with; so a form is answered with a page
// that leads on.
func (f *Flow) sendToProvider(
	ex *exchange.Exchange, r *http.Request, location string, provider *oidc.Provider,
) error {
	h := r.Header
	if h.Get("Sec-Fetch-Site") == "same-origin" && h.Get("Sec-Fetch-Mode") == "navigate" &&
		(r.Method == http.MethodPost || r.URL.Query().Has("login_hint")) {
		err := f.edge.Pages.Continue(ex, r, page.Continue{To: location, Where: provider.Title()})
		if err != nil {
			return exchange.Fail("provider_misconfigured", err)
		}
		return nil
	}
	exchange.Redirect(ex, location)
	return nil
}

// promptFor returns the prompt with which a provider lets the person use another account. Nothing else that a
// request asks for reaches the provider (C9).
func promptFor(provider *oidc.Provider, wanted string) string {
	if wanted != "login" && wanted != "select_account" {
		return ""
	}
	return provider.PromptForAccount()
}

// chooseProvider returns the provider to sign in at: the only one, the one that was named, the issuer that
// initiated the sign-in, or the one with the domain of the login_hint. It returns nil where the person has to
// choose, and why a login_hint did not help.
func (f *Flow) chooseProvider(q url.Values, hint string) (*oidc.Provider, string) {
	if name := q.Get("provider"); name != "" {
		return f.providers.ByName(name), ""
	}
	if iss := q.Get("iss"); iss != "" {
		for _, provider := range f.providers {
			if provider.HandlesIssuer(iss) {
				return provider, ""
			}
		}
		return nil, ""
	}
	if len(f.providers) == 1 {
		return f.providers[0], ""
	}
	if hint == "" {
		return nil, ""
	}
	var found []*oidc.Provider
	if _, domain, ok := strings.Cut(hint, "@"); ok {
		for _, provider := range f.providers {
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
	return nil, "More than one provider accepts that address. Choose below."
}

func (f *Flow) choosePage(returnTo, hint, problem string) page.Choose {
	v := page.Choose{ReturnTo: returnTo, Email: hint, EmailProblem: problem}
	for _, provider := range f.providers {
		v.Providers = append(v.Providers,
			page.Provider{Name: provider.Name(), Title: provider.Title(), Type: provider.Type()})
		v.AskEmail = v.AskEmail || provider.KnowsDomains()
		if origin := provider.AuthorizationOrigin(); origin != "" {
			v.FormActionOrigins = append(v.FormActionOrigins, origin)
		}
	}
	return v
}

// Callback is the redirect URI: it finishes a sign-in. A person who is refused reads why at an address of its
// own (refused.go).
func (f *Flow) Callback(ex *exchange.Exchange, r *http.Request) error {
	err := f.finish(ex, r)
	if err == nil || ex.Explicit || !exchange.IsNavigation(r) {
		return err
	}
	f.showElsewhere(ex, r, err)
	return nil
}

// finish finishes a sign-in. The response must belong to an attempt that this browser started, at this
// provider.
func (f *Flow) finish(ex *exchange.Exchange, r *http.Request) error {
	provider := f.providers.ByName(r.PathValue("provider"))
	if provider == nil {
		return exchange.Refuse("not_found", "")
	}
	params, err := callbackParameters(ex, r)
	if err != nil {
		return err
	}
	if len(params["state"]) != 1 {
		return exchange.Refuse("sign_in_invalid", "")
	}
	// What opens no attempt asks nobody, and must not fill the queue of those who do.
	if !f.attempts.opens(ex, r, params.Get("state")) {
		f.attempts.take(ex, r, params.Get("state"), provider.UsesFormPost()) // the cookie goes
		return f.expiredAttempt(ex, r, provider)
	}
	hadTurn, ok := f.callbacks.failed.Turn(r.Context(), ex.Address, ex.Start)
	if !ok {
		return exchange.Refuse("rate_limited", "Too many sign-ins from your address were refused.")
	}
	defer hadTurn()
	done, ok := f.callbacks.begin()
	if !ok {
		return exchange.Refuse("rate_limited", "Too many people are signing in at this moment.")
	}
	defer done()
	a, ok := f.attempts.take(ex, r, params.Get("state"), provider.UsesFormPost())
	if !ok {
		return f.expiredAttempt(ex, r, provider)
	}
	if a.Renews != "" && a.Provider == provider.Name() {
		return f.finishRenewal(ex, r, provider, a, params)
	}
	result := "error"
	defer func() { f.edge.Metrics.SignIns.WithLabelValues(provider.Name(), result).Inc() }()
	signIn, err := provider.Finish(r.Context(), a.Attempt, params)
	if err == nil && a.Fresh {
		err = provider.CheckFresh(signIn, a.IssuedAt, providerLate)
	}
	if err != nil {
		pr := exchange.AsProblem(err)
		result = string(pr.Code)
		if pr.Code.Status() < http.StatusInternalServerError {
			f.callbacks.failed.Count(ex.Address, ex.Start, 1)
		}
		if f.callbacks.mayAudit("", ex.Start) {
			f.edge.Record(ex, r,
				mapping.Event{Event: mapping.EventSignInRefused, Provider: provider.Name(), Reason: result})
		}
		return withRetry(pr, provider, a.ReturnTo)
	}
	err = f.admit(ex, r, provider, a, signIn)
	if err != nil {
		pr := exchange.AsProblem(err)
		result = string(pr.Code)
		return withRetry(pr, provider, a.ReturnTo)
	}
	result = "success"
	f.countSignIn(ex, a.Recent)
	exchange.Redirect(ex, a.ReturnTo)
	return nil
}

// providerLate is how far a provider's clock may be behind ours.
const providerLate = time.Minute

// authTime returns when the person authenticated at the provider, by our clock; zero when the provider does
// not say. Who had a session there has authenticated before.
func (f *Flow) authTime(a attempt, signIn *oidc.SignIn) time.Time {
	now := f.edge.Now()
	if a.Fresh || signIn.AuthTime.After(now) {
		return now
	}
	return signIn.AuthTime
}

// callbackParameters returns the parameters of the response: from the query, or, with response_mode
// form_post, from the form.
func callbackParameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	switch r.Method {
	case http.MethodGet:
		params, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, exchange.RefuseBecause("sign_in_invalid", "", err)
		}
		return params, nil
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
		if err := r.ParseForm(); err != nil {
			return nil, exchange.RefuseBecause("sign_in_invalid", "", err)
		}
		return r.PostForm, nil
	}
	return nil, exchange.Refuse("method_not_allowed", "")
}

// expiredAttempt answers a callback whose attempt this browser no longer has: a person went back, or opened
// it twice. If they are signed in, nothing is lost.
func (f *Flow) expiredAttempt(ex *exchange.Exchange, r *http.Request, provider *oidc.Provider) error {
	if _, err := f.callers.Identify(ex, r); err == nil {
		exchange.Redirect(ex, "/sso/")
		return nil
	}
	return withRetry(exchange.Refuse("sign_in_expired", ""), provider, "")
}

// admit lets a verified identity in: the rules decide, the account is found or made, and the browser gets a
// session with a new id, whatever session it had before (D2).
func (f *Flow) admit(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, a attempt, signIn *oidc.SignIn,
) error {
	event, err := f.recordIdentity(ex, r, provider, signIn)
	if err != nil {
		return err
	}
	return f.startSession(ex, r, provider, event, f.authTime(a, signIn), signIn)
}

// recordIdentity writes a verified identity to its account, with the refresh token. It returns the audit
// event of it; that of a refusal is recorded already.
func (f *Flow) recordIdentity(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, signIn *oidc.SignIn,
) (mapping.Event, error) {
	account, decision, err := f.accounts.SignIn(r.Context(), signIn.Identity, signIn.RefreshToken)
	event := mapping.Event{
		Event: mapping.EventSignInRefused, Provider: provider.Name(), Account: account.ID,
		Rules: decision.Matched(),
	}
	if account.ID == "" {
		event.Actor = signIn.Identity.Subject // nobody else knows who it was
	}
	f.edge.Metrics.Decisions.WithLabelValues(caller.DecisionResult(decision)).Inc()
	switch {
	case err != nil:
	case !decision.Allowed:
		err = &exchange.Problem{
			Code: exchange.Code(decision.Code), Detail: decision.Reason,
			Facts: identityFacts(provider, signIn.Identity),
		}
	case account.Status == mapping.Suspended:
		err = exchange.Refuse("suspended", "")
	}
	if account.ID != "" { // its sessions go by the new identity at once, and not when the log tells so
		f.callers.Reload(account.ID)
	}
	if err != nil {
		event.Reason = string(exchange.AsProblem(err).Code)
		if f.callbacks.mayAudit(cmp.Or(event.Account, event.Actor), ex.Start) {
			f.edge.Record(ex, r, event)
		}
	}
	return event, err
}

// startSession begins the session of a sign-in, in place of the one that the browser had.
// event is that of the identity.
func (f *Flow) startSession(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, event mapping.Event,
	proven time.Time, signIn *oidc.SignIn,
) error {
	id, err := caller.RandomID(f.edge.Random)
	if err != nil {
		return exchange.Fail("internal_error", err)
	}
	now := f.edge.Now()
	session := caller.Session{
		ID: "ses_" + id[:16], AccountID: event.Account, Provider: provider.Name(), SID: signIn.Identity.SID,
		AuthTime: proven, CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(f.cfg.Lifetime),
		LogoutHint: signIn.LogoutHint,
	}
	if signIn.IDToken != "" {
		if session.SealedIDToken, err = f.ring.Seal(keyring.ProviderToken, []byte(signIn.IDToken),
			[]byte(session.ID)); err != nil {
			return exchange.Fail("internal_error", err)
		}
	}
	event.Event, event.CredentialID = mapping.EventSignIn, session.ID
	start := mapping.SessionStart{Account: event.Account, Event: f.edge.Of(ex, event), Most: maxSessions}
	if had := f.sessionCaller(ex, r); had != nil {
		start.Replaces, start.ReplacedAccount = had.Session.ID, had.Session.AccountID
	}
	err = f.callers.StartSession(ex, r, session, func(put func(mapping.Tx) error) error {
		start.Put = put
		ended, err := f.accounts.BeginSession(r.Context(), start)
		for _, r := range ended {
			f.ender.Apply(r)
		}
		return err
	})
	if err != nil {
		return exchange.AsProblem(err)
	}
	return nil
}

// endSession ends a session everywhere, here at once.
func (f *Flow) endSession(ctx context.Context, s caller.Session, reason string) error {
	r := mapping.Revocation{
		At: f.edge.Now(), Kind: mapping.RevokeSession, Account: s.AccountID, Session: s.ID, Reason: reason,
	}
	return f.ender.End(ctx, r, s.AccountID)
}

// withRetry adds links to a failed sign-in: to try again, and to use another account.
func withRetry(pr *exchange.Problem, provider *oidc.Provider, returnTo string) *exchange.Problem {
	q := url.Values{"provider": {provider.Name()}}
	if returnTo != "" {
		q.Set("return_to", returnTo)
	}
	again := page.Link{Label: "Try again", Href: "/sso/login?" + q.Encode()}
	q.Set("prompt", "select_account")
	other := page.Link{Label: "Use another account", Href: "/sso/login?" + q.Encode()}
	if pr.Code.Status() == http.StatusForbidden {
		pr.Actions = []page.Link{other}
	} else {
		pr.Actions = []page.Link{again, other}
	}
	return pr
}

// identityFacts returns what a person who was refused can tell an admin.
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
