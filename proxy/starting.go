package proxy

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"vexa-sso/proxy/page"
)

// Starting answers in place of a Proxy while the store has never been reachable: nobody can be known yet (S10).
func Starting(publicURL string) http.Handler {
	public, err := url.Parse(publicURL)
	if err != nil {
		public = &url.URL{}
	}
	p := &Proxy{public: public, pages: page.New(page.Config{Site: public.Host}), log: discard, now: time.Now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := &exchange{ResponseWriter: w, start: p.now()}
		ex.traceID = ex.newTraceID(rand.Reader)
		switch r.URL.Path {
		case "/sso/healthz":
			_ = p.healthz(ex, r)
		case "/sso/readyz":
			status, body := ask(r.Context(), []Check{{Name: "store", Required: true, Ping: func(context.Context) error { return refuse("store_unavailable", "") }}})
			writeJSON(ex, status, body)
		default:
			p.answerProblem(ex, r, refuse("store_unavailable", ""))
		}
	})
}
