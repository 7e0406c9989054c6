package upstream

import (
	"net/http"
	"strings"
)

// noteEvents counts a response that turns out to be an event stream as one, although the route table does not
// call its route a stream (S12).
func (p *Passer) noteEvents(g *Passage, res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols || len(res.Header["Content-Type"]) == 0 ||
		!strings.HasPrefix(res.Header["Content-Type"][0], "text/event-stream") {
		return nil
	}
	g.ex.Lasts = true
	return p.streams.becomes(&g.stream, events)
}
