package page

import (
	"net/http"
	"time"
)

const devicePath = "/sso/device"

// Device is the page that asks for the user code of a tool without a browser (RFC 8628 section 3.3).
type Device struct {
	Code    string // as it was typed
	Problem string // why that did not help

	Fields []Field // hidden, sent with the code
	Action string  // the path of ours that the code is sent to as user_code; default /sso/device
	Posts  bool    // by POST; else by GET
}

// Device writes the page that asks for a code: with 200, or with 422 when there is a problem.
func (p *Pages) Device(w http.ResponseWriter, r *http.Request, v Device) {
	if !ownPath(v.Action) {
		v.Action = devicePath
	}
	status, title := http.StatusOK, "Connect a device"
	if v.Problem != "" {
		status, title = http.StatusUnprocessableEntity, "Error: "+title
	}
	p.write(w, r, sheet{template: "device", status: status, posts: v.Posts, Title: title, V: v})
}

// DeviceConfirm is the page that asks a person whether the tool with that user code may act for them.
// Somebody else may have sent them the code (RFC 8628 section 5.4), so it says who asks, from where and since
// when.
type DeviceConfirm struct {
	Code   string // as the tool shows it
	Tool   string // what people call it
	Client string // its client_id

	Address string    // where the tool asked from
	Asked   time.Time // when

	Person   string // whom it will act for
	Provider string // what people call the provider they are signed in through

	Scopes   []ScopeLine
	Lifetime time.Duration // at most, until they are asked again

	Fields []Field // hidden, posted with the answer
	// the path of ours that the answer is posted to, as decision=allow or decision=deny; default /sso/device
	Action string
}

// DeviceConfirm writes the page that asks, with 200.
func (p *Pages) DeviceConfirm(w http.ResponseWriter, r *http.Request, v DeviceConfirm) {
	if !ownPath(v.Action) {
		v.Action = devicePath
	}
	p.write(w, r, sheet{
		template: "deviceconfirm", status: http.StatusOK, posts: true, Title: "Allow " + orTool(v.Tool) + "?",
		V: struct {
			DeviceConfirm
			Tool      string
			Asked     moment
			Known     bool // Asked is known
			Abilities []ability
			Lifetime  string
			Tokens    string
		}{
			v, orTool(v.Tool), momentOf(v.Asked, p.now()), !v.Asked.IsZero(), p.abilitiesOf(v.Scopes),
			lifetimeOf(v.Lifetime), TokensPath,
		},
	})
}

// DeviceDone is the last page: the tool learns the answer by polling.
type DeviceDone struct {
	Tool    string
	Allowed bool
}

// DeviceDone writes the page at the end, with 200.
func (p *Pages) DeviceDone(w http.ResponseWriter, r *http.Request, v DeviceDone) {
	v.Tool = orTool(v.Tool)
	title := "Nothing was allowed"
	if v.Allowed {
		title = "You are done here"
	}
	p.write(w, r, sheet{
		template: "devicedone", status: http.StatusOK, Title: title,
		V: struct {
			DeviceDone
			Heading, Tokens string
		}{v, title, TokensPath},
	})
}
