package upstream_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// S5: an answer that nobody reads is over with access, though the client has closed its own side, or though
// it answers the opening of a WebSocket, which it refuses.
func TestUnreadAnswersAreOver(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"half closed":       "GET /transcripts/zoom/1" + getHead + "\r\n",
		"refused WebSocket": "GET /ws" + getHead + socketHead,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := make(chan struct{})
			gateway := startGateway(t, func(w http.ResponseWriter, r *http.Request) {
				// far more than fits into the buffers of all the connections
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, "data: 1\n\n")
				_ = http.NewResponseController(w).Flush()
				close(full)
				for {
					if _, err := io.WriteString(w, strings.Repeat("word ", 10_000)); err != nil {
						return
					}
				}
			})
			w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = gateway.URL })
			b := w.SignIn(oidctest.Ada)
			fill := strings.NewReplacer("{host}", w.Host, "{public}", w.Public,
				"{credential}", "Cookie: "+b.Cookie())
			conn, err := net.Dial("tcp", w.Host)
			proxytest.Must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, fill.Replace(request))
			proxytest.Must(t, err)
			<-full
			if name == "half closed" {
				_, err = io.ReadFull(conn, make([]byte, 16)) // the answer has begun
				proxytest.Must(t, err)
				proxytest.Must(t, conn.(*net.TCPConn).CloseWrite())
			}
			began := oidctest.StartStopwatch(t)
			proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
				Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, oidctest.Ada), Reason: "left",
			}, "admin"))
			w.WaitFor("the request to be over", func() bool { return w.UnderWay() == 0 })
			t.Log(began.Took())
			w.Proxy.CutStreams() // returns: no WebSocket is waited for that never was one
		})
	}
}
