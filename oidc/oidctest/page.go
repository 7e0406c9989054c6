package oidctest

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// pageStyle is what tells one provider's pages and cookies from another's.
type pageStyle struct {
	Title  string // "Okta"
	Accent string // a CSS colour
	cookie string // the name of the session cookie
	newSID func(*random) string
}

// page is what the templates show.
type page struct {
	Style     pageStyle
	Nonce     string
	SignInURL string

	// The sign-in page.
	Request string
	Client  string
	Hint    string
	People  []Person

	// The form_post page: where the fields go.
	Action string
	Fields []field

	// The device page asks for UserCode.
	UserCode string

	// The signed-out page: frames that tell other applications, where a link leads on.
	Frames     []string
	FramesPost bool // post to them instead of loading them
	Continue   string

	// Any page that only says something.
	Heading string
	Detail  string
}

type field struct{ Name, Value string }

// showSignIn shows everybody who may sign in as a button each. The person named by login_hint comes first.
func (d *Double) showSignIn(w http.ResponseWriter, a *authorization, at authorizer) {
	id := d.random.token(24)
	d.ledger.pending.Add(id, a)
	people := at.candidates(a)
	for i, p := range people {
		if p.is(a.get("login_hint")) {
			copy(people[1:i+1], people[:i])
			people[0] = p
			break
		}
	}
	d.show(w, http.StatusOK, "signin.html",
		page{Request: id, Client: a.client.Name, Hint: a.get("login_hint"), People: people})
}

// showProblem is an error that must not be sent to a redirect URI, because that was not
// proven to be the client's.
func (d *Double) showProblem(w http.ResponseWriter, status int, heading, detail string) {
	d.show(w, status, "message.html", page{Heading: heading, Detail: detail})
}

// show renders a page under a policy that lets it run nothing but its own style and script. There is no
// form-action: the browser applies that to the redirect which follows a form, and ours leads to the client.
func (d *Double) show(w http.ResponseWriter, status int, name string, p page) {
	p.Style, p.Nonce, p.SignInURL = d.page, d.random.token(12), d.url("/sign-in")
	frames := "frame-src 'none'"
	if len(p.Frames) > 0 {
		frames = "frame-src *"
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+
		"'; script-src 'nonce-"+p.Nonce+"'; "+
		frames+"; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	pages.ExecuteTemplate(w, name, p) // the browser that hung up needs no error
}
