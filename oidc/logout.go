package oidc

import (
	"context"
	"net/url"
)

// logoutRequest are the parameters of a logout request (OpenID Connect RP-Initiated Logout 1.0, section 2).
type logoutRequest struct {
	idToken, logoutHint, clientID, returnTo string
}

// EndSession is the URL at which the browser ends the provider's own session (OpenID Connect RP-Initiated
// Logout 1.0), or false when there is none: Okta needs the ID token to be shown, and a provider may have no
// such endpoint, or be down. The ID token is put into the URL only when this provider issued it.
func (p *Provider) EndSession(
	ctx context.Context, idToken, logoutHint, postLogoutRedirectURI string,
) (string, bool) {
	doc, err := p.discovery.get(ctx)
	if err != nil || doc.EndSessionURL == "" {
		return "", false
	}
	if issuer, _ := UnverifiedIssuer(idToken); !p.dialect.handlesIssuer(doc, issuer) {
		idToken = ""
	}
	return p.dialect.endSession(doc, logoutRequest{
		idToken: idToken, logoutHint: logoutHint, clientID: p.cfg.ClientID, returnTo: postLogoutRedirectURI,
	})
}

// WithState adds state to an end-session URL. The provider repeats it at the post-logout redirect URI (OpenID
// Connect RP-Initiated Logout 1.0, section 2), so a browser that comes back with another state does not
// answer our sign-out.
func WithState(endSession, state string) string {
	u, err := url.Parse(endSession)
	if err != nil {
		return endSession
	}
	query := u.Query()
	query.Set("state", state)
	u.RawQuery = query.Encode()
	return u.String()
}

func endSessionURL(doc *document, params map[string]string) (string, bool) {
	u, err := url.Parse(doc.EndSessionURL)
	if err != nil {
		return "", false
	}
	query := u.Query()
	for name, value := range params {
		if value != "" {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	return u.String(), true
}
