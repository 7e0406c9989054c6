package oidctest

import (
	"net/http"
	"net/url"
	"slices"
)

// logout ends the browser's session and tells every application of it in frames, by sid alone. A
// return address that is not a registered redirect URI is no error: the person stays on the page that
// says they are signed out.
func (e *Entra) logout(w http.ResponseWriter, r *http.Request, _ authority) {
	form, err := readForm(r)
	if err != nil {
		e.aadPage(w, aadCodeMalformed)
		return
	}
	var frames []string
	if current := e.session(r); current != nil {
		frames = e.frontChannel(current)
		e.closeSession(w, current)
	}
	target := form.Get("post_logout_redirect_uri")
	if !e.registeredSomewhere(target) {
		target = ""
	}
	if target != "" && form.Get("state") != "" {
		target = withQuery(target, url.Values{"state": {form.Get("state")}})
	}
	if target != "" && len(frames) == 0 {
		redirect(w, target)
		return
	}
	e.show(w, http.StatusOK, "signedout.html", page{Frames: frames, Continue: target})
}

func (e *Entra) registeredSomewhere(uri string) bool {
	return slices.ContainsFunc(e.Clients(), func(c Client) bool {
		return slices.Contains(c.RedirectURIs, uri) || slices.Contains(c.PostLogoutURIs, uri)
	})
}

func (e *Entra) frontChannel(ended *session) []string {
	var frames []string
	for _, id := range e.clientsOf(ended) {
		if client, ok := e.Client(id); ok && client.FrontChannelLogoutURI != "" {
			params := url.Values{"sid": {ended.sid}}
			if p, ok := e.Person(ended.person); ok && e.options.LogoutIssuer {
				params.Set("iss", e.IssuerOf(e.directoryOf(p)))
			}
			frames = append(frames, withQuery(client.FrontChannelLogoutURI, params))
		}
	}
	return frames
}
