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

// Check is one dependency that readyz asks. Ping's error is shown to operators: it names hosts, and never
// holds a secret.
type Check struct {
	Name     string
	Required bool // readyz is 503 without it, else 200 and "degraded"
	Ping     func(ctx context.Context) error
}

// health is what readyz asks.
type health struct {
	store     caller.Health
	ready     []Check
	providers oidc.Providers
	running   func() any
}

// healthz is the liveness probe: it answers 200 as long as the process does.
func healthz(ex *exchange.Exchange, _ *http.Request) error {
	exchange.WriteJSON(ex, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// probePatience is the timeout of readyz for all that it asks: less than the second that Kubernetes gives a
// probe by default.
const probePatience = 800 * time.Millisecond

// readyz is the readiness probe.
func (h health) readyz(ex *exchange.Exchange, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probePatience)
	defer cancel()
	checks := append([]Check{{Name: "store", Required: true, Ping: h.pingStore}}, h.ready...)
	for _, provider := range h.providers {
		checks = append(checks, Check{Name: "provider:" + provider.Name(), Ping: provider.Ping})
	}
	status, body := runChecks(ctx, checks)
	switch {
	case r.Context().Value(fromOperator{}) == nil:
		body.withoutReasons()
	case h.running != nil:
		body.Running = h.running()
	}
	exchange.WriteJSON(ex, status, body)
	return nil
}

// fromOperator is the context key of a request that came in on the operators' listener.
type fromOperator struct{}

// FromOperator marks a request as one that came in on the listener that only operators reach: readyz tells it
// why a dependency is down.
func FromOperator(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), fromOperator{}, true))
}

func (h health) pingStore(context.Context) error {
	if !h.store.Usable() {
		return exchange.Refuse("store_unavailable", "")
	}
	return nil
}

// readiness is the body of readyz.
type readiness struct {
	Status       string            `json:"status"` // ok | degraded | unavailable
	Dependencies map[string]string `json:"dependencies"`
	Running      any               `json:"running,omitempty"` // builds and names of machines: for operators
}

// runChecks runs all checks at once, and returns the status code and body of readyz.
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

// withoutReasons replaces each reason by "unavailable".
func (r readiness) withoutReasons() {
	for name, said := range r.Dependencies {
		if said != "ok" {
			r.Dependencies[name] = "unavailable"
		}
	}
}
