package page

import (
	"net/http"
	"time"
)

// NewToken is a token that was made just now, with its value. This page is the only place
// where that is ever shown.
type NewToken struct {
	Name    string
	Value   string
	Scopes  []string
	Expires time.Time

	Base    string // the URL that programs are to call, public_url
	Example string // a path below it that this token may get: "/meetings"
}

// NewToken writes the page with a new token, with 201. The value is in no cache, no address and no cookie.
func (p *Pages) NewToken(w http.ResponseWriter, r *http.Request, v NewToken) {
	p.write(w, r, sheet{
		template: "newtoken", status: http.StatusCreated, Title: "Your new token", Wide: true,
		V: struct {
			NewToken
			Expires   moment
			Abilities []ability
			Back      string
		}{v, momentOf(v.Expires, p.now()), p.abilities(v.Scopes), TokensPath},
	})
}
