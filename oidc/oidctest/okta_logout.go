package oidctest

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// logout ends the browser's session, and nothing that was issued in it. It insists on an ID token of this
// very authorization server, expired or not, of the person who is signed in.
func (o *Okta) logout(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	form, err := readForm(r)
	if err != nil {
		o.showProblem(w, http.StatusBadRequest, "400", err.Error())
		return
	}
	hint, ok := o.readHint(s, form.Get("id_token_hint"))
	if !ok {
		o.showProblem(w, http.StatusBadRequest, "400: invalid_request",
			"The 'id_token_hint' parameter is missing or is not an ID token of this authorization server.")
		return
	}
	client, _ := o.Client(hint.Audience[0])
	current := o.session(r)
	if current != nil && current.person != hint.Subject {
		o.showProblem(w, http.StatusBadRequest, "400: id_token_does_not_match_session",
			"The id_token_hint is not of the user who is signed in.")
		return
	}
	target := form.Get("post_logout_redirect_uri")
	if target != "" && !slices.Contains(client.PostLogoutURIs, target) {
		o.showProblem(w, http.StatusBadRequest, "400: invalid_request", "The 'post_logout_redirect_uri' "+
			"parameter must be a Logout redirect URI in the client app settings.")
		return
	}
	var frames []string
	if current != nil {
		frames = o.frontChannel(s, current, client.ID)
		o.closeSession(w, current)
	}
	if target != "" && form.Get("state") != "" {
		target = withQuery(target, url.Values{"state": {form.Get("state")}})
	}
	if target != "" && len(frames) == 0 {
		redirect(w, target)
		return
	}
	o.show(w, http.StatusOK, "signedout.html",
		page{Frames: frames, FramesPost: o.options.FrontChannelPOST, Continue: target})
}

func (o *Okta) readHint(s *oktaServer, raw string) (jwt.Claims, bool) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return jwt.Claims{}, false
	}
	keys, err := s.keys.Published()
	if err != nil {
		return jwt.Claims{}, false
	}
	for _, key := range keys {
		var claims jwt.Claims
		if key.ID == token.Headers[0].KeyID && token.Claims(key.Private.Public(), &claims) == nil {
			return claims, claims.Issuer == s.issuer && len(claims.Audience) == 1
		}
	}
	return jwt.Claims{}, false
}

// frontChannel are the URIs of the other applications of a session, which an
// application's logout tells in frames.
func (o *Okta) frontChannel(s *oktaServer, ended *session, initiator string) []string {
	var frames []string
	for _, id := range o.clientsOf(ended) {
		if client, ok := o.Client(id); ok && id != initiator && client.FrontChannelLogoutURI != "" {
			frames = append(frames,
				withQuery(client.FrontChannelLogoutURI, url.Values{"iss": {s.issuer}, "sid": {ended.sid}}))
		}
	}
	return frames
}
