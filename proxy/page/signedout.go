package page

import "net/http"

// SignedOut is the page after sign-out. It starts nothing by itself.
type SignedOut struct {
	SignIn string // where "Sign in again" leads; default /sso/login

	// StillSignedInAt is what people call the provider where they are still signed in, so that the next
	// sign-in may ask them nothing; empty when that ended too. ProviderLink leads there, if we know where.
	StillSignedInAt string
	ProviderLink    string
}

// SignedOut writes the page after sign-out, with 200.
func (p *Pages) SignedOut(w http.ResponseWriter, r *http.Request, v SignedOut) {
	if !ownPath(v.SignIn) {
		v.SignIn = loginPath
	}
	if !allowedHref(v.ProviderLink) {
		v.ProviderLink = ""
	}
	p.write(w, r, sheet{template: "signedout", status: http.StatusOK, Title: "Signed out", V: v})
}
