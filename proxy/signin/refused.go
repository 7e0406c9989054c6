package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/securecookie"

	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

// A callback's address holds the provider's code, and loading it again finishes nothing: it would stay in the
// history, and the page would lose why. So a refusal is shown at an address of its own. What it says travels
// sealed in a cookie, which needs no store, works over replicas, and shows nobody else whom it names.

const (
	RefusedPath      = "/sso/refused/"
	refusedLifetime  = 15 * time.Minute
	maxRefusals      = 3    // that one browser may hold: of several tabs
	maxRefusedCookie = 2400 // characters; proxies in front take 8 KiB of cookies
)

// refusals keeps refused sign-ins in the browser that was refused.
type refusals struct{ codec securecookie.Codec }

// showElsewhere sends the browser to the page of a refusal. What does not fit into a cookie is shown at once.
func (f *Flow) showElsewhere(ex *exchange.Exchange, r *http.Request, err error) {
	v := f.edge.Refusal(ex, r, err)
	name := refusedName(ex.Site, v.TraceID)
	value, err := f.refusals.seal(name, v)
	if err != nil {
		f.edge.ShowRefusal(ex, r, v)
		return
	}
	held := f.refusals.held(ex.Site, r)
	for len(held) >= maxRefusals {
		http.SetCookie(ex, exchange.NewCookie(held[0].name, "", -1))
		held = held[1:]
	}
	http.SetCookie(ex, exchange.NewCookie(name, value, int(refusedLifetime/time.Second)))
	exchange.Redirect(ex, RefusedPath+v.TraceID)
}

// Refused is the page of a refusal.
func (f *Flow) Refused(ex *exchange.Exchange, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return exchange.Refuse("method_not_allowed", "")
	}
	id := r.PathValue("id")
	name := refusedName(ex.Site, id)
	v, ok := f.refusals.open(name, exchange.CookieValue(r.Header["Cookie"], name))
	if !ok || v.TraceID != id {
		return &exchange.Problem{
			Code: "refusal_gone", Actions: []page.Link{{Label: "Sign in", Href: "/sso/login"}},
		}
	}
	f.edge.ShowRefusal(ex, r, v)
	return nil
}

// refusedName returns the name of the cookie of a refusal.
func refusedName(site *exchange.Site, id string) string {
	return site.Cookies.Refused + id[:min(len(id), 12)]
}

var errTooLong = errors.New("the refusal is too long for a cookie")

// seal returns the cookie's value, without the links where those make it too long: they repeat where the
// sign-in was to lead.
func (s *refusals) seal(name string, v exchange.Refusal) (string, error) {
	for range 2 {
		text, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		value, err := s.codec.Encode(name, text)
		if err == nil && len(value) <= maxRefusedCookie {
			return value, nil
		}
		v.Actions = nil
	}
	return "", errTooLong
}

func (s *refusals) open(name, value string) (v exchange.Refusal, ok bool) {
	var text []byte
	if value == "" || s.codec.Decode(name, value, &text) != nil {
		return v, false
	}
	return v, json.Unmarshal(text, &v) == nil
}

type heldRefusal struct {
	name string
	at   time.Time
}

// held returns the refusals that a browser holds, oldest first; invalid ones count as oldest of all.
func (s *refusals) held(site *exchange.Site, r *http.Request) []heldRefusal {
	var held []heldRefusal
	for name, value := range cookiesWithPrefix(r.Header["Cookie"], site.Cookies.Refused) {
		v, _ := s.open(name, value)
		held = append(held, heldRefusal{name, v.At})
	}
	slices.SortFunc(held, func(a, b heldRefusal) int { return a.at.Compare(b.at) })
	return held
}
