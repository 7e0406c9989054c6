package page

import (
	"net/http"
	"net/url"
)

// loginPath starts a sign-in; logoutPath ends one.
const (
	loginPath  = "/sso/login"
	logoutPath = "/sso/logout"
)

// Provider is an identity provider that people can choose.
type Provider struct {
	Name  string // as configured
	Title string // what people call it; default Name
	Type  string // okta | entra | oidc; decides the icon
	Note  string // a few words, e.g. "Cannot be reached right now"; optional
}

// Choose is the page for people whose provider is not known yet.
type Choose struct {
	Providers []Provider
	ReturnTo  string // a path of ours to come back to; anything else is dropped

	// AskEmail offers to find the provider by email address: the form gets /sso/login with login_hint and
	// return_to. Email is what was typed before, EmailProblem why that did not help.
	AskEmail     bool
	Email        string
	EmailProblem string

	// FormActionOrigins are the origins that the email form's redirects may lead to: those of the providers.
	FormActionOrigins []string
}

// Choose writes the page for choosing a provider, with 200.
func (p *Pages) Choose(w http.ResponseWriter, r *http.Request, v Choose) {
	if !ownPath(v.ReturnTo) {
		v.ReturnTo = ""
	}
	title := "Sign in"
	if v.EmailProblem != "" {
		title = "Error: " + title // the first thing that a screen reader says
	}
	p.write(w, r, sheet{
		template: "choose", status: http.StatusOK, origins: v.FormActionOrigins,
		Title: title,
		V: struct {
			Choose
			Action  string
			Options []option
		}{v, loginPath, options(v)},
	})
}

// option is a provider with the link that starts a sign-in there.
type option struct {
	Provider
	Href string
}

func options(v Choose) []option {
	var all []option
	for _, provider := range v.Providers {
		if provider.Title == "" {
			provider.Title = provider.Name
		}
		q := url.Values{"provider": {provider.Name}}
		if v.ReturnTo != "" {
			q.Set("return_to", v.ReturnTo)
		}
		all = append(all, option{provider, loginPath + "?" + q.Encode()})
	}
	return all
}
