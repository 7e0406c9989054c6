package oidctest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	oktaDeviceLifetime = 600 * time.Second
	deviceInterval     = 5 * time.Second
)

// device is one device that waits for a person to approve it elsewhere (RFC 8628).
type device struct {
	code, userCode string
	client         Client
	server         string
	scopes         []string
	expires        time.Time

	// ledger.mu guards what follows.
	lastPoll time.Time
	grant    *grant
	refused  bool
	redeemed bool
}

func (o *Okta) deviceAuthorize(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	form, err := readForm(r)
	if err != nil || r.Method != http.MethodPost {
		o.oauthError(w, &oktaError{400, "invalid_request", "The request is malformed."})
		return
	}
	client, problem := o.authenticate(s.endpoint(o, "device/authorize"), readCredentials(r, form))
	scopes := strings.Fields(form.Get("scope"))
	switch {
	case problem != nil:
	case !client.may(GrantDevice):
		problem = oktaGrantNotEnabled(client)
	case len(scopes) == 0:
		problem = oktaNoScope
	case !s.offers(scopes):
		problem = oktaBadScope
	}
	if problem != nil {
		o.oauthError(w, problem)
		return
	}
	waiting := o.newDevice(client, s.ID, scopes, o.random.guid(), oktaDeviceLifetime)
	noStore(w)
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code":               waiting.code,
		"user_code":                 waiting.userCode,
		"verification_uri":          o.url("/activate"),
		"verification_uri_complete": o.url("/activate?user_code=" + waiting.userCode),
		"expires_in":                int(oktaDeviceLifetime.Seconds()),
		"interval":                  int(deviceInterval.Seconds()),
	})
}

// userCodeLetters leaves out what people confuse.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

func (d *Double) newDevice(
	client Client, server string, scopes []string, code string, lifetime time.Duration,
) *device {
	letters := d.random.bytes(8)
	for i := range letters {
		letters[i] = userCodeLetters[int(letters[i])%len(userCodeLetters)]
	}
	waiting := &device{
		code: code, userCode: string(letters), client: client, server: server, scopes: scopes,
		expires: d.now().Add(lifetime),
	}
	d.ledger.devices.Add(waiting.code, waiting)
	d.ledger.devices.Add(waiting.userCode, waiting)
	return waiting
}

// activate is the page at which a person types a device's code. A code in the URL only fills the field in:
// somebody has to press the button.
func (o *Okta) activate(w http.ResponseWriter, r *http.Request) { o.enterCode(w, r, oktaAuthorizer{o}) }

func (d *Double) enterCode(w http.ResponseWriter, r *http.Request, at authorizer) {
	form, err := readForm(r)
	if err != nil {
		d.showProblem(w, http.StatusBadRequest, "400", err.Error())
		return
	}
	if r.Method != http.MethodPost {
		d.show(w, http.StatusOK, "device.html", page{UserCode: form.Get("user_code")})
		return
	}
	waiting, ok := d.ledger.devices.Get(strings.ToUpper(strings.TrimSpace(form.Get("user_code"))))
	if !ok || d.now().After(waiting.expires) {
		d.show(w, http.StatusBadRequest, "device.html",
			page{Heading: "That code did not work. Check it and try again."})
		return
	}
	d.showSignIn(w, &authorization{
		client: waiting.client, server: waiting.server, version: 2, scopes: waiting.scopes,
		made: d.now(), device: waiting,
	}, at)
}

func (d *Double) approveDevice(w http.ResponseWriter, a *authorization, g *grant) {
	d.ledger.mu.Lock()
	a.device.grant = g
	d.ledger.mu.Unlock()
	d.show(w, http.StatusOK, "message.html",
		page{Heading: "Device activated", Detail: "Follow the instructions on your device for next steps."})
}

func (d *Double) declineDevice(w http.ResponseWriter, a *authorization) {
	d.ledger.mu.Lock()
	a.device.refused = true
	d.ledger.mu.Unlock()
	d.show(w, http.StatusOK, "message.html",
		page{Heading: "Device not activated", Detail: "You can close this page."})
}

func (o *Okta) redeemDevice(call tokenCall) (map[string]any, *oktaError) {
	g, problem := o.pollDevice(call)
	if problem != nil {
		return nil, problem
	}
	refresh := ""
	if slices.Contains(g.scopes, "offline_access") && call.client.may(GrantRefresh) {
		refresh = o.firstRefresh(g)
	}
	return o.respond(call, g, g.scopes, "", refresh)
}

func (o *Okta) pollDevice(call tokenCall) (*grant, *oktaError) {
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	waiting, ok := o.ledger.devices.Get(call.form.Get("device_code"))
	if !ok || waiting.code != call.form.Get("device_code") || waiting.client.ID != call.client.ID ||
		waiting.server != call.server.ID || waiting.redeemed {
		return nil, oktaDeviceDead
	}
	tooSoon := o.now().Sub(waiting.lastPoll) < deviceInterval
	waiting.lastPoll = o.now()
	switch {
	case o.now().After(waiting.expires):
		return nil, oktaDeviceExpired
	case waiting.refused:
		return nil, oktaPersonRefused
	case waiting.grant == nil && tooSoon:
		return nil, oktaDeviceSlow
	case waiting.grant == nil:
		return nil, oktaDevicePending
	case !o.holds(waiting.grant):
		return nil, oktaDeviceDead
	}
	waiting.redeemed = true
	return waiting.grant, nil
}
