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

// The kinds of credential, as logs and metrics name them.
const (
	BySession   = "session" // session cookie of a browser
	ByToken     = "token"   // token that we issued, personal or a tool's
	ByBearer    = "bearer"  // access token of a provider
	ByNativeKey = "native"  // Vexa key, with tokens.native_keys: migrate
	ByNobody    = exchange.NoCredential
)

// Caller is whom a credential authenticates, with all that a request needs to know of them, so that a warm
// one asks nobody. Callers are cached and shared by concurrent requests.
type Caller struct {
	Credential   string    // kind: one of the above
	CredentialID string    // of a session or a token of ours
	Expires      time.Time // of the credential; zero: not known
	Until        time.Time // reload at this time; zero: only after a revocation

	Account mapping.Account
	AtMost  rule.Scopes      // where limited: the credential's scopes, which count only within the grant
	Session Session          // of a session
	Token   mapping.Token    // of a token of ours
	Access  oidc.AccessToken // of a provider's access token

	RenewsInBackground bool // the account's refresh grant is renewed without the person
	// Unix seconds of when this session was last sent to the provider for a silent renewal, as far as this
	// replica knows.
	Asked atomic.Int64

	limited bool
	hash    [32]byte     // SHA-256 of a token of ours, its key in the store
	seen    atomic.Int64 // Unix seconds of the last use, to the minute
	ended   atomic.Bool  // revoked; set before the caller is dropped from the cache
	settled atomic.Bool  // may be served from the cache: nothing of the account was dropped while it was read
	view    atomic.Pointer[View]
	limiter *rate.Limiter // nil: no limit
}

// Ended reports whether the credential was revoked, perhaps while a request with it was being served.
func (c *Caller) Ended() bool { return c.ended.Load() }

// Seen returns when the credential was last used, to the minute.
func (c *Caller) Seen() time.Time { return time.Unix(c.seen.Load(), 0) }

// who returns the caller as the log names them.
func (c *Caller) who() exchange.Who {
	w := exchange.Who{Account: c.Account.ID, Provider: c.Account.Provider, CredentialID: c.CredentialID}
	if v := c.view.Load(); v != nil {
		w.Rules = v.Matched
	}
	return w
}

// View is the decision of the rules about a caller. It is valid as long as the rules are the same.
type View struct {
	Decision rule.Decision
	Scopes   rule.Scopes // of the grant, those that the credential has too
	Matched  string      // the names of the rules that matched, for the log

	rules *rule.Rules
}

// See returns the view of a caller by the current rules.
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

// View is See for a request, and sets the rules' names for its log line.
func (i *Identifier) View(ex *exchange.Exchange, c *Caller) *View {
	v := i.See(c)
	ex.Who.Rules = v.Matched
	return v
}

// viewOf decides anew: the account's grant, limited to the credential's scopes.
func (i *Identifier) viewOf(c *Caller) *View {
	v := &View{Decision: i.accounts.Decide(c.Account)}
	v.Scopes = v.Decision.Grant.Scopes
	if c.limited {
		v.Scopes = v.Scopes.Intersect(c.AtMost)
	}
	return v
}

// DecisionResult returns a decision's label in the metrics.
func DecisionResult(d rule.Decision) string {
	if d.Allowed {
		return "allowed"
	}
	return d.Code
}

// MayUse returns the refusal of an account that may not use Vexa at all, by its status or by the rules; nil
// for one that may.
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
