package caller

import (
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

// What can stand for a caller, as logs and metrics name it.
const (
	BySession   = "session" // the cookie of a browser that is signed in
	ByToken     = "token"   // a token of ours: personal, or a tool's
	ByBearer    = "bearer"  // an access token of a provider
	ByNativeKey = "native"  // a Vexa key, while people move over to tokens
	ByNobody    = exchange.NoCredential
)

// Caller is who stands behind a credential that is in use on this replica, with all that a request needs so
// that a warm one asks nobody.
type Caller struct {
	Credential   string    // by which of the above
	CredentialID string    // of a session or a token of ours
	Expires      time.Time // when the credential ends, whatever else happens; zero: it doesn't say
	Until        time.Time // reload at this time; zero: only after a revocation

	Account mapping.Account
	AtMost  rule.Scopes      // where limited: what the credential is good for, and only where the account is
	Session Session          // of a session
	Token   mapping.Token    // of a token of ours
	Access  oidc.AccessToken // of a bearer token

	RenewsInBackground bool // the provider is asked about the account again without the person
	// Unix seconds of when this session was last sent to the provider for that, as far as known here
	Asked atomic.Int64

	limited bool
	hash    [32]byte     // by which the store knows a token of ours
	seen    atomic.Int64 // Unix seconds of the last request, as far as touched
	ended   atomic.Bool  // revoked: set before anything else happens
	view    atomic.Pointer[View]
	limiter *rate.Limiter // nil: no limit
}

// Ended reports whether the credential was revoked while somebody was being served with it.
func (c *Caller) Ended() bool { return c.ended.Load() }

// Seen is when the credential was last used, to the minute.
func (c *Caller) Seen() time.Time { return time.Unix(c.seen.Load(), 0) }

// who is the caller as the log names them.
func (c *Caller) who() exchange.Who {
	w := exchange.Who{Account: c.Account.ID, Provider: c.Account.Provider, CredentialID: c.CredentialID}
	if v := c.view.Load(); v != nil {
		w.Rules = v.Matched
	}
	return w
}

// View is what the rules said about a caller. It holds as long as the rules are the same.
type View struct {
	Decision rule.Decision
	Scopes   rule.Scopes // what the caller may use of what the decision grants
	Matched  string      // the names of the rules that matched, for the log

	rules *rule.Rules
}

// See returns what the rules of now say about a caller.
func (i *Identifier) See(c *Caller) *View {
	rules := i.rules.Current()
	if v := c.view.Load(); v != nil && v.rules == rules {
		return v
	}
	v := i.viewOf(c)
	v.rules = rules
	v.Matched = strings.Join(v.Decision.Matched(), ",")
	i.edge.Metrics.Decisions.WithLabelValues(DecisionResult(v.Decision)).Inc()
	c.view.Store(v)
	return v
}

// View is See for a request, whose log then names the rules.
func (i *Identifier) View(ex *exchange.Exchange, c *Caller) *View {
	v := i.See(c)
	ex.Who.Rules = v.Matched
	return v
}

// viewOf is what the rules of now say about a caller: what their account may, and of that what
// their credential is good for.
func (i *Identifier) viewOf(c *Caller) *View {
	v := &View{Decision: i.accounts.Decide(c.Account)}
	v.Scopes = v.Decision.Grant.Scopes
	if c.limited {
		v.Scopes = v.Scopes.Intersect(c.AtMost)
	}
	return v
}

// DecisionResult is a decision as metrics count it.
func DecisionResult(d rule.Decision) string {
	if d.Allowed {
		return "allowed"
	}
	return d.Code
}

// MayUse reports whether an account may use Vexa at all.
func MayUse(a mapping.Account, d rule.Decision) error {
	switch a.Status {
	case mapping.Suspended:
		return exchange.Refuse("suspended", "")
	case mapping.Pending:
		return exchange.Refuse("pending_approval", "")
	}
	if !d.Allowed {
		return exchange.Refuse(exchange.Code(d.Code), d.Reason)
	}
	return nil
}
