package proxy

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

// Starting is the handler in place of a Proxy until the store has been opened for the first time: nobody can
// be authenticated yet, so all but the probes is 503 (S10).
func Starting(publicURL string) http.Handler {
	site, err := exchange.NewSite(publicURL)
	if err != nil {
		site = &exchange.Site{}
	}
	edge := &exchange.Edge{Pages: page.New(page.Config{Site: site.Host}), Log: exchange.Discard}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ex exchange.Exchange
		ex.Begin(w, site, "", time.Now(), rand.Reader)
		switch r.URL.Path {
		case "/sso/healthz":
			_ = healthz(&ex, r)
		case "/sso/readyz":
			status, body := runChecks(r.Context(), []Check{{Name: "store", Required: true, Ping: noStoreYet}})
			exchange.WriteJSON(&ex, status, body)
		default:
			edge.Answer(&ex, r, exchange.Refuse("store_unavailable", ""))
		}
	})
}

func noStoreYet(context.Context) error { return exchange.Refuse("store_unavailable", "") }
