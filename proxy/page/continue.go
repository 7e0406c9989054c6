package page

import "net/http"

// Continue is the page that leads on by itself (meta refresh): the answer to a form whose redirects lead over
// sites that its page could not name in form-action.
type Continue struct {
	// an https URL, e.g. a provider's authorization or end-session endpoint with its
	// parameters, or a path of ours
	To    string
	Where string // what people call the place, e.g. "Okta"
}

// Continue writes the page that leads on, with 200. A target that is not an allowed link is a mistake of the
// provider's configuration, and answered with 502.
func (p *Pages) Continue(w http.ResponseWriter, r *http.Request, v Continue) {
	if !allowedHref(v.To) {
		p.Problem(w, r, Problem{
			Status:   http.StatusBadGateway,
			Title:    "We cannot send you on",
			Sentence: "The identity provider named an address that we do not send anybody to.",
			Next:     "Ask your administrator.",
			Code:     "provider_misconfigured",
		})
		return
	}
	p.write(w, r,
		sheet{template: "continue", status: http.StatusOK, Title: "One moment", Refresh: v.To, V: v})
}
