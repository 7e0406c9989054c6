package authserver_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

const devicePath = "/sso/device"

// device is what a device was told.
type device struct{ code, user string }

func (w *world) device(changes ...string) device {
	w.T.Helper()
	a := w.askDevice(changes...)
	if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		w.T.Fatalf("%d %v %s", a.Status, a.Header, a.Body)
	}
	said := a.json(w.T)
	return device{said["device_code"].(string), said["user_code"].(string)}
}

func (w *world) askDevice(changes ...string) answer {
	q := url.Values{"client_id": {authserver.CommandLine}}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
	}
	return w.post("/sso/oauth/device_authorization", q)
}

// polling is what a device asks over and over.
func polling(code string) url.Values {
	return url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {authserver.CommandLine},
		"device_code": {code},
	}
}

// poll waits as it should and asks, and returns the error or nothing.
func (w *world) poll(d device) string {
	w.T.Helper()
	w.Clock.Advance(5 * time.Second)
	a := w.post(tokenPath, polling(d.code))
	if a.Status == http.StatusOK {
		return ""
	}
	_, code := a.refusal(w.T)
	return code
}

func TestDeviceAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	said := w.askDevice("scope", "tx", "resource", w.Public).json(t)
	if user := said["user_code"].(string); !regexp.MustCompile(
		`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`,
	).MatchString(user) {
		t.Errorf("user code %q", user)
	} else if said["verification_uri"] != w.Public+devicePath ||
		said["verification_uri_complete"] != w.Public+devicePath+"?user_code="+user ||
		said["expires_in"] != 600.0 || said["interval"] != 5.0 {
		t.Errorf("%v", said)
	}
	for name, c := range map[string]struct {
		changes []string
		want    string
	}{
		"an unknown client":      {[]string{"client_id", "nobody"}, "invalid_client"},
		"a client that may not":  {[]string{"client_id", "web"}, "unauthorized_client"},
		"an unknown scope":       {[]string{"scope", "root"}, "invalid_scope"},
		"for another's resource": {[]string{"resource", "https://elsewhere.example"}, "invalid_target"},
		"with a secret":          {[]string{"client_secret", "x"}, "invalid_client"},
	} {
		if _, got := w.askDevice(c.changes...).refusal(t); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// All answers to polling (RFC 8628 section 3.5), over two replicas.
func TestPolling(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		other, b := w.replica(), w.browser()

		d := w.device("scope", "tx")
		for i, replica := range []*world{w, other, w} {
			if got := replica.poll(d); got != "authorization_pending" {
				t.Fatalf("poll %d: %s", i, got)
			}
		}
		if status, got := other.post(tokenPath, polling(d.code)).refusal(t); status != 400 ||
			got != "slow_down" {
			t.Errorf("too soon: %d %s", status, got)
		}
		if got := w.poll(d); got != "slow_down" { // five seconds are not enough any more
			t.Errorf("after slow_down, as before: %s", got)
		}
		w.Clock.Advance(10 * time.Second)
		if got := w.poll(d); got != "authorization_pending" {
			t.Errorf("after slow_down, as told: %s", got)
		}
		if status, got := w.post(
			tokenPath, func() url.Values { q := polling(d.code); q.Set("client_id", "web"); return q }(),
		).refusal(t); status != 400 || got != "invalid_grant" {
			t.Errorf("another client: %d %s", status, got)
		}
		b.at(other).allowDevice(ada, devicePath, d.user)
		a := w.post(tokenPath, polling(d.code)) // at once: it waited long enough
		if a.Status != http.StatusOK || a.json(t)["scope"] != "tx" ||
			!w.works(a.json(t)["access_token"].(string)) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if got := other.poll(d); got != "invalid_grant" {
			t.Errorf("a second time: %s", got)
		}
		if !w.works(a.json(t)["access_token"].(string)) {
			t.Error("a second poll has ended what the first gave")
		}
		if events := w.events(mapping.EventToolAuthorized); len(events) != 1 ||
			!strings.Contains(events[0].Reason, authserver.CommandLine) {
			t.Errorf("%+v", events)
		}

		d = w.device()
		ticket := b.submit(devicePath, url.Values{"user_code": {d.user}}).ticket(t)
		if a := b.submit(
			devicePath, url.Values{"ticket": {ticket}, "decision": {"deny"}},
		); a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if got := w.poll(d); got != "access_denied" {
			t.Errorf("denied: %s", got)
		}
		if len(w.events(mapping.EventToolDenied)) != 1 {
			t.Error("a denial is not in the audit")
		}

		if logged := w.Logs.String(); strings.Contains(logged, "vssd_") || strings.Contains(logged, d.user) ||
			strings.Contains(logged, ticket) {
			t.Error("a code or a ticket is on the log")
		}

		d = w.device()
		w.Clock.Advance(10 * time.Minute)
		if got := w.poll(d); got != "expired_token" {
			t.Errorf("expired: %s", got)
		}
	})
}

// S7: who decides about a device signed in a moment ago, sees who asks, and answers in that
// session, once, from this site. G2
func TestDevicePage(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		b, d := w.browser(), w.device("scope", "tx")
		if a := b.open(devicePath + "?user_code=" + d.user); a.Status != http.StatusSeeOther ||
			!strings.Contains(a.Header.Get("Location"), "/sso/login") {
			t.Fatalf("nobody: %d %v", a.Status, a.Header)
		}
		a := b.openAs(ada, devicePath+"?user_code="+d.user)
		if a.Status != http.StatusOK || !strings.Contains(a.Body, d.user) ||
			hiddenTicket.MatchString(a.Body) {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if a.Header.Get("X-Frame-Options") != "DENY" ||
			!strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%v", a.Header)
		}
		for _, typed := range []string{
			d.user, strings.ToLower(d.user), " " + d.user[:2] + " " + d.user[2:] + ".",
			strings.ReplaceAll(d.user, "-", ""),
		} {
			a = b.submit(devicePath, url.Values{"user_code": {typed}})
			a.ticket(t)
		}
		for _, said := range []string{
			"Vexa command line", "vexa-sso-cli", d.user, "127.0.0.1", ada, "Acme",
			"Did somebody send you here?",
		} {
			if !strings.Contains(a.Body, said) {
				t.Errorf("the page does not say %q", said)
			}
		}

		allow := url.Values{"ticket": {a.ticket(t)}, "decision": {"allow"}}
		other := w.browser()
		other.openAs(ada, "/sso/")
		cross := []string{
			"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Site", "cross-site",
		}
		for what, a := range map[string]answer{
			"another browser": other.submit(devicePath, allow),
			"nobody":          w.browser().submit(devicePath, allow),
			"another site":    b.send("POST", devicePath, allow.Encode(), cross...),
			"another site's code": b.send("POST", devicePath,
				url.Values{"user_code": {d.user}}.Encode(), cross...),
			"no decision":           b.submit(devicePath, url.Values{"ticket": allow["ticket"]}),
			"as a consent":          b.submit("/sso/oauth/consent", allow),
			"a ticket that is none": b.submit(devicePath, url.Values{"ticket": {"x"}, "decision": {"allow"}}),
		} {
			if a.Status < 400 || a.Status >= 500 {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
		}
		if got := w.poll(d); got != "authorization_pending" {
			t.Fatalf("then: %s", got)
		}
		if a := b.submit(devicePath, allow); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		deny := url.Values{"ticket": allow["ticket"], "decision": {"deny"}}
		for what, a := range map[string]answer{
			"again": b.submit(devicePath, allow), "changing one's mind": b.submit(devicePath, deny),
		} {
			if a.Status != http.StatusForbidden {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
		}
		if a := b.submit(devicePath, url.Values{"user_code": {d.user}}); a.Status !=
			http.StatusUnprocessableEntity {
			t.Errorf("the code again: %d %s", a.Status, a.Body)
		}
		if got := w.poll(d); got != "" {
			t.Errorf("then: %s", got)
		}
	})
}

// S7: a sign-in of five minutes ago is neither enough to look for a device nor to answer.
func TestDeviceNeedsAFreshSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b, d := w.browser(), w.device()
	b.openAs(ada, devicePath)
	ticket := b.submit(devicePath, url.Values{"user_code": {d.user}}).ticket(t)
	w.Clock.Advance(5 * time.Minute)
	for what, form := range map[string]url.Values{
		"a code": {"user_code": {d.user}}, "an answer": {"ticket": {ticket}, "decision": {"allow"}},
	} {
		a := b.submit(devicePath, form)
		if again := a.leadsHere(t); again != devicePath+"?user_code="+d.user {
			t.Errorf("%s leads to %s", what, again)
		}
	}
	if got := w.poll(d); got != "authorization_pending" {
		t.Errorf("then: %s", got)
	}
	if a := b.open(devicePath); a.Status != http.StatusSeeOther ||
		!strings.Contains(a.Header.Get("Location"), "fresh=1") {
		t.Errorf("the page: %d %v", a.Status, a.Header)
	}
	b.allowDevice(ada, devicePath+"?user_code="+d.user, d.user)
	if got := w.poll(d); got != "" {
		t.Errorf("then: %s", got)
	}
}

// RFC 8628 section 5.1: who tries codes may try ten, by session and by account. S12: that keeps nobody else
// at their address from theirs.
func TestGuessingIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	b.openAs(ada, devicePath)
	for i := range 10 {
		if a := b.submit(
			devicePath, url.Values{"user_code": {"BBBB-BBB" + string("BCDFGHJKLM"[i])}},
		); a.Status != http.StatusUnprocessableEntity {
			t.Fatalf("guess %d: %d %s", i, a.Status, a.Body)
		}
	}
	d := w.device()
	again, other := w.browser(), w.browser()
	again.openAs(ada, devicePath)
	other.openAs(tim, devicePath)
	for what, b := range map[string]*browser{"the session": b, "the account": again} {
		if a := b.submit(
			devicePath, url.Values{"user_code": {d.user}},
		); a.Status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	other.submit(devicePath, url.Values{"user_code": {d.user}}).ticket(t)
	w.Clock.Advance(2 * time.Minute)
	b.submit(devicePath, url.Values{"user_code": {d.user}}).ticket(t)

	// What cannot be a code is no guess.
	for range 20 {
		if a := other.submit(devicePath, url.Values{"user_code": {"hello"}}); a.Status !=
			http.StatusUnprocessableEntity {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
}

// S12: an address gets twenty device codes at once, and never has more than fifty open,
// however long it goes on asking.
func TestDeviceCodesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for range 20 {
		w.device()
	}
	a := w.askDevice()
	if status, got := a.refusal(t); status != http.StatusTooManyRequests || got != "slow_down" ||
		a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", status, got, a.Header)
	}
	open := 20
	for range 99 { // the first twenty are still open then
		w.Clock.Advance(6 * time.Second)
		if w.askDevice().Status == http.StatusOK {
			open++
		}
	}
	if open > 50 || open < 40 {
		t.Errorf("%d codes are open", open)
	}
}

// S12: a flood of device codes that several networks keep up leaves room for everybody else's.
func TestDeviceFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for i := range 1000 {
		a := authserver.Authorization{
			Kind: authserver.KindDevice, Hash: sha256.Sum256(fmt.Append(nil, i)),
			UserCode: fmt.Sprint("flood ", i), Status: authserver.StatusPending,
			ExpiresAt: w.Clock.Now().Add(10 * time.Minute),
		}
		proxytest.Must(t, w.Store.AddAuthorization(t.Context(), a, 1000))
	}
	w.device()
}

// S12: who asks for device codes counts by what one customer has: of IPv6 that may be 48 bits.
func TestDeviceNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8:1::1", "2001:db8:1:ffff::2", true},
		{"2001:db8:1::1", "2001:db8:2::1", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	} {
		if same := authserver.DeviceNetwork(c.a) == authserver.DeviceNetwork(c.b); same != c.same {
			t.Errorf("%s and %s are one: %t", c.a, c.b, same)
		}
	}
}

// What a person has none of they cannot give to a device either.
func TestDeviceScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b, d := w.browser(), w.device("scope", "bot")
	b.openAs(tim, devicePath)
	if a := b.submit(
		devicePath, url.Values{"user_code": {d.user}},
	); a.Status != http.StatusUnprocessableEntity || hiddenTicket.MatchString(a.Body) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	d = w.device()
	b.allowDevice(tim, devicePath, d.user)
	if scope := w.post(tokenPath, polling(d.code)).json(t)["scope"]; fmt.Sprint(scope) != "tx" {
		t.Errorf("got %v", scope)
	}
}
