package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// Check asks a dependency how it is. The error's text is shown to operators: it carries no
// secrets, but names of hosts.
type Check struct {
	Name     string
	Required bool // without it nobody can be served: not ready. Otherwise it only says so.
	Ping     func(ctx context.Context) error
}

// health is what the probes ask.
type health struct {
	store     caller.Health
	ready     []Check
	providers oidc.Providers
}

// healthz says that the process answers.
func healthz(ex *exchange.Exchange, _ *http.Request) error {
	exchange.WriteJSON(ex, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// probePatience is how long readyz waits for whoever it asks: less than the second that a probe is
// given by default (Kubernetes).
const probePatience = 800 * time.Millisecond

// readyz reports whether requests can be served, with a reason per dependency. Who is signed in is served
// without the provider and the Admin API (S10), so those being down is told but does not take the replica out
// of service. The reasons are for operators: from elsewhere anybody may ask.
func (h health) readyz(ex *exchange.Exchange, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probePatience)
	defer cancel()
	checks := append([]Check{{Name: "store", Required: true, Ping: h.pingStore}}, h.ready...)
	for _, provider := range h.providers {
		checks = append(checks, Check{Name: "provider:" + provider.Name(), Ping: provider.Ping})
	}
	status, body := runChecks(ctx, checks)
	if r.Context().Value(fromOperator{}) == nil {
		body.withoutReasons()
	}
	exchange.WriteJSON(ex, status, body)
	return nil
}

// fromOperator is the key in the context of a request that came in where only operators reach us.
type fromOperator struct{}

// FromOperator marks a request as one that came in where only operators reach us:
// readyz tells it the reasons.
func FromOperator(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), fromOperator{}, true))
}

func (h health) pingStore(context.Context) error {
	if !h.store.Usable() {
		return exchange.Refuse("store_unavailable", "")
	}
	return nil
}

// readiness is the answer of readyz.
type readiness struct {
	Status       string            `json:"status"` // ok | degraded | unavailable
	Dependencies map[string]string `json:"dependencies"`
}

// runChecks asks all dependencies at once.
func runChecks(ctx context.Context, checks []Check) (int, readiness) {
	said := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { said[i] = c.Ping(ctx) })
	}
	wg.Wait()
	status, body := http.StatusOK, readiness{Status: "ok", Dependencies: make(map[string]string, len(checks))}
	for i, c := range checks {
		switch {
		case said[i] == nil:
			body.Dependencies[c.Name] = "ok"
			continue
		case c.Required:
			status, body.Status = http.StatusServiceUnavailable, "unavailable"
		case body.Status == "ok":
			body.Status = "degraded"
		}
		body.Dependencies[c.Name] = said[i].Error()
	}
	return status, body
}

// withoutReasons leaves of each dependency whether it is there.
func (r readiness) withoutReasons() {
	for name, said := range r.Dependencies {
		if said != "ok" {
			r.Dependencies[name] = "unavailable"
		}
	}
}
