package oidctest

import (
	"net/http"
	"net/url"
	"time"
)

// oktaParkingTime is how long a pushed authorization request waits.
const oktaParkingTime = time.Hour

// parkedRequest is an authorization request that its client pushed beforehand (RFC 9126).
type parkedRequest struct {
	params  url.Values
	expires time.Time
}

func (o *Okta) park(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	form, err := readForm(r)
	if err != nil || r.Method != http.MethodPost {
		o.oauthError(w, &oktaError{400, "invalid_request", "The request is malformed."})
		return
	}
	client, problem := o.authenticate(s.endpoint(o, "par"), readCredentials(r, form))
	if problem != nil {
		o.oauthError(w, problem)
		return
	}
	params := url.Values{}
	for name := range form {
		if name != "client_secret" && name != "client_assertion" && name != "client_assertion_type" {
			params.Set(name, form.Get(name))
		}
	}
	params.Set("client_id", client.ID)
	uri := "urn:okta:" + o.random.token(32)
	o.parked.Add(uri, &parkedRequest{params: params, expires: o.now().Add(oktaParkingTime)})
	noStore(w)
	writeJSON(w, http.StatusCreated,
		map[string]any{"request_uri": uri, "expires_in": int(oktaParkingTime.Seconds())})
}

// unpark replaces a request_uri by what was pushed, once. A client may not use another's.
func (o *Okta) unpark(params url.Values) url.Values {
	uri := params.Get("request_uri")
	parked, ok := o.parked.Get(uri)
	if uri == "" || !ok || o.now().After(parked.expires) ||
		parked.params.Get("client_id") != params.Get("client_id") {
		return params
	}
	o.parked.Remove(uri)
	return parked.params
}
