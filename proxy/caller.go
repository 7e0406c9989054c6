package proxy

import (
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// What can stand for a caller, as logs and metrics name it.
const (
	bySession   = "session" // the cookie of a browser that is signed in
	byToken     = "token"   // a token of ours: personal, or a tool's
	byBearer    = "bearer"  // an access token of a provider
	byNativeKey = "native"  // a Vexa key, while people move over to tokens
	byNobody    = "none"
)

// caller is who stands behind a credential that is in use on this replica, with all that a request needs so that a warm one asks
// nobody.
type caller struct {
	credential   string    // by which of the above
	credentialID string    // of a session or a token of ours
	expires      time.Time // when the credential ends, whatever else happens; zero: it doesn't say
	until        time.Time // when all this has to be looked at afresh; zero: when somebody says so

	account mapping.Account
	limited bool             // the credential is good for atMost alone, and for that only where the account is
	atMost  rule.Scopes      // …
	session Session          // of a session
	token   mapping.Token    // of a token of ours
	hash    [32]byte         // by which the store knows it
	access  oidc.AccessToken // of a bearer token

	alone bool         // the provider is asked about the account again without the person
	asked atomic.Int64 // Unix seconds of when this session was last sent to the provider for that, as far as known here

	seen    atomic.Int64 // Unix seconds of the last request, as far as touched
	ended   atomic.Bool  // revoked: set before anything else happens
	view    atomic.Pointer[view]
	limiter *rate.Limiter // nil: no limit
}

// view is what the rules said about a caller. It holds as long as the rules are the same.
type view struct {
	rules    *rule.Rules
	decision rule.Decision
	scopes   rule.Scopes // what the caller may use of what the decision grants
	matched  string      // the names of the rules that matched, for the log
}

// see returns what the rules of now say about a caller.
func (p *Proxy) see(c *caller) *view {
	rules := p.rules.Current()
	if v := c.view.Load(); v != nil && v.rules == rules {
		return v
	}
	v := p.viewOf(c)
	v.rules = rules
	v.matched = strings.Join(v.decision.Matched(), ",")
	p.metrics.decisions.WithLabelValues(decisionResult(v.decision)).Inc()
	c.view.Store(v)
	return v
}

// viewOf is what the rules of now say about a caller: what their account may, and of that what their credential is good for.
func (p *Proxy) viewOf(c *caller) *view {
	v := &view{decision: p.accounts.Decide(c.account)}
	v.scopes = v.decision.Grant.Scopes
	if c.limited {
		v.scopes = v.scopes.Intersect(c.atMost)
	}
	return v
}

func decisionResult(d rule.Decision) string {
	if d.Allowed {
		return "allowed"
	}
	return d.Code
}

// mayUse says whether an account may use Vexa at all.
func mayUse(a mapping.Account, d rule.Decision) error {
	switch a.Status {
	case mapping.Suspended:
		return refuse("suspended", "")
	case mapping.Pending:
		return refuse("pending_approval", "")
	}
	if !d.Allowed {
		return refuse(Code(d.Code), d.Reason)
	}
	return nil
}
