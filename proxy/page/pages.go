package page

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// Config is the settings of all pages.
type Config struct {
	Site string           // host of public_url, shown on every page
	Now  func() time.Time // default time.Now

	// Scope says what a scope lets somebody do, and what else in a note; default: that it is Vexa's.
	Scope func(name string) (words, note string)
}

// Pages renders the pages. It is safe for concurrent use.
type Pages struct {
	site string
	now  func() time.Time

	scope func(name string) (words, note string)
}

// New returns the pages of one site.
func New(c Config) *Pages {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Scope == nil {
		c.Scope = func(string) (string, string) { return "One of Vexa’s scopes", "" }
	}
	return &Pages{site: c.Site, now: c.Now, scope: c.Scope}
}

//go:embed templates
var templateFiles embed.FS

var templates = parseTemplates(
	"choose", "consent", "continue", "device", "deviceconfirm", "devicedone", "home", "newtoken", "problem",
	"signedout", "tokens",
)

func parseTemplates(names ...string) map[string]*template.Template {
	shared := template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/icons.html",
		"templates/parts.html"))
	parsed := make(map[string]*template.Template, len(names))
	for _, name := range names {
		own := template.Must(shared.Clone())
		parsed[name] = template.Must(own.ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return parsed
}

// sheet is one page about to be written: what layout.html needs, and the page's own data in V.
type sheet struct {
	template string
	status   int
	posts    bool     // has a form that posts
	origins  []string // form-action besides 'self'

	Title   string
	Wide    bool
	Refresh string // target of the meta refresh; an allowed link
	V       any

	Site       string
	Stylesheet string
	Icon       string
}

// write renders the page before it writes anything, so that a response is whole or an error.
func (p *Pages) write(w http.ResponseWriter, r *http.Request, s sheet) {
	s.Site, s.Stylesheet, s.Icon = p.site, stylesheet.path, icon.path

	var body bytes.Buffer
	if err := templates[s.template].ExecuteTemplate(&body, "layout", s); err != nil {
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}

	setHeaders(w.Header(), s)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(s.status)
	if r.Method != http.MethodHead {
		w.Write(body.Bytes())
	}
}
