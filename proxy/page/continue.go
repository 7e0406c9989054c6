package page

import (
	"errors"
	"net/http"
)

// Continue is the page that leads on by itself (meta refresh): the answer to a form whose redirects lead over
// sites that its page could not name in form-action.
type Continue struct {
	// an https URL, e.g. a provider's authorization or end-session endpoint with its
	// parameters, or a path of ours
	To    string
	Where string // what people call the place, e.g. "Okta"
}

// Continue writes the page that leads on, with 200. For a target that is not an allowed link it returns an
// error and writes nothing.
func (p *Pages) Continue(w http.ResponseWriter, r *http.Request, v Continue) error {
	if !allowedHref(v.To) {
		return errors.New("nobody is sent to an address that is neither https nor a path of ours")
	}
	p.write(w, r,
		sheet{template: "continue", status: http.StatusOK, Title: "One moment", Refresh: v.To, V: v})
	return nil
}
