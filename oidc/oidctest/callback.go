package oidctest

import (
	"net/http"
	"net/url"
	"sort"
	"strings"
)

// answer sends the browser back to the client with parameters, by the response mode that the request chose or
// that its response type implies.
func (d *Double) answer(w http.ResponseWriter, r *http.Request, a *authorization, params url.Values) {
	if state := a.get("state"); state != "" {
		params.Set("state", state)
	}
	target := a.get("redirect_uri")
	switch responseMode(a) {
	case "form_post":
		d.show(w, http.StatusOK, "formpost.html", page{Action: target, Fields: fields(params)})
	case "fragment":
		redirect(w, target+"#"+params.Encode())
	default:
		redirect(w, withQuery(target, params))
	}
}

func responseMode(a *authorization) string {
	if mode := a.get("response_mode"); mode != "" {
		return mode
	}
	if a.has("response_type", "id_token") {
		return "fragment"
	}
	return "query"
}

func fields(params url.Values) []field {
	var all []field
	for name := range params {
		all = append(all, field{name, params.Get(name)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// withQuery adds parameters to a URL that may have some already.
func withQuery(target string, params url.Values) string {
	if strings.Contains(target, "?") {
		return target + "&" + params.Encode()
	}
	return target + "?" + params.Encode()
}

// redirect writes Location as it is: http.Redirect would clean a registered URI into
// one that was not registered.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}
