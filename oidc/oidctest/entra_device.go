package oidctest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const entraDeviceLifetime = 900 * time.Second

// deviceCode starts the device flow. There is no verification_uri_complete.
func (e *Entra) deviceCode(w http.ResponseWriter, r *http.Request, at authority) {
	form, err := readForm(r)
	if err != nil || r.Method != http.MethodPost {
		e.aadError(w, aadCodeMalformed)
		return
	}
	client, ok := e.Client(form.Get("client_id"))
	problem := e.checkClientAt(client, ok, form, at)
	scopes := strings.Fields(form.Get("scope"))
	switch {
	case form.Get("client_id") == "":
		problem = aadMissingClientID
	case problem != nil:
	case !client.may(GrantDevice):
		problem = aadNeedsCredentials
	case len(scopes) == 0:
		problem = aadMissingScope
	default:
		_, problem = e.parseScopes(client, at.segment, scopes)
	}
	if problem != nil {
		e.aadError(w, problem)
		return
	}
	waiting := e.newDevice(client, at.segment, scopes, e.longToken(200), entraDeviceLifetime)
	noStore(w)
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code":      waiting.code,
		"user_code":        waiting.userCode,
		"verification_uri": e.url("/devicelogin"),
		"expires_in":       int(entraDeviceLifetime.Seconds()),
		"interval":         int(deviceInterval.Seconds()),
		"message": fmt.Sprintf(
			"To sign in, use a web browser to open the page %s and enter the code %s to authenticate.",
			e.url("/devicelogin"), waiting.userCode,
		),
	})
}

func (e *Entra) redeemDevice(call entraCall) (map[string]any, *aadError) {
	g, problem := e.pollDevice(call)
	if problem != nil {
		return nil, problem
	}
	return e.respond(call, g, g.scopes, "")
}

// pollDevice never says slow_down: nobody has seen Entra do it.
func (e *Entra) pollDevice(call entraCall) (*grant, *aadError) {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	waiting, ok := e.ledger.devices.Get(call.form.Get("device_code"))
	switch {
	case !ok || waiting.code != call.form.Get("device_code") ||
		waiting.client.ID != call.client.ID || waiting.redeemed:
		return nil, aadDeviceBad
	case e.now().After(waiting.expires):
		return nil, aadDeviceExpired
	case waiting.refused:
		return nil, aadDeviceRefused
	case waiting.grant == nil:
		return nil, aadDevicePending
	}
	if problem := e.checkGrant(waiting.grant, call.client); problem != nil {
		return nil, problem
	}
	waiting.redeemed = true
	return waiting.grant, nil
}
