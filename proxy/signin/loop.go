package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

const (
	loopSignIns = 3 // completed sign-ins of one browser …
	loopWindow  = time.Minute
)

// recentSignIns returns the times of the sign-ins that this browser completed within the last minute, by its
// own cookie, which is not signed: whoever forges it fools only themselves.
func (f *Flow) recentSignIns(ex *exchange.Exchange, r *http.Request) []int64 {
	var recent []int64
	now := f.edge.Now().Unix()
	for text := range strings.SplitSeq(
		exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Recent), ".",
	) {
		at, err := strconv.ParseInt(text, 10, 64)
		if err == nil && at <= now && now-at < int64(loopWindow/time.Second) && len(recent) < loopSignIns {
			recent = append(recent, at)
		}
	}
	return recent
}

// countSignIn adds a completed sign-in to the cookie of recent ones.
func (f *Flow) countSignIn(ex *exchange.Exchange, recent []int64) {
	var text strings.Builder
	for _, at := range recent {
		fmt.Fprintf(&text, "%d.", at)
	}
	fmt.Fprint(&text, f.edge.Now().Unix())
	http.SetCookie(ex, exchange.NewCookie(ex.Site.Cookies.Recent, text.String(), int(loopWindow/time.Second)))
}

// forgetSignIns deletes the cookie of recent sign-ins: after a sign-out, signing in again is no loop.
func (f *Flow) forgetSignIns(ex *exchange.Exchange) {
	http.SetCookie(ex, exchange.NewCookie(ex.Site.Cookies.Recent, "", -1))
}

// loop returns the problem of a redirect loop, with its cause, as far as that can be told from here.
func (f *Flow) loop(ex *exchange.Exchange, r *http.Request) *exchange.Problem {
	cause, remedy := f.loopCause(ex, r)
	return &exchange.Problem{
		Code: "sign_in_loop", Detail: "This browser signed in several times within a minute, and was asked " +
			"to sign in again each time. " + cause,
		Err: errors.New(cause), Remedy: remedy,
		Facts: []page.Fact{
			{Name: "Address that was opened", Value: r.Host},
			{Name: "Address that we are set up for", Value: ex.Site.Origin},
			{Name: "Our clock", Value: f.edge.Now().UTC().Format(time.RFC3339)},
		},
	}
}

// loopCause follows the session cookie to where it got lost.
func (f *Flow) loopCause(ex *exchange.Exchange, r *http.Request) (cause, remedy string) {
	cookie := exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Session)
	if cookie == "" {
		return "The browser did not send our session cookie back: it blocks cookies for this site, or " +
				"something between it and us takes them away.",
			"check that the browser opens exactly public_url, with its scheme and host, and that no proxy " +
				"in front of us drops Cookie or Set-Cookie"
	}
	if !f.callers.Readable(ex.Site, cookie) {
		return "The browser sent a session cookie back that this server cannot read: the servers behind " +
				"this address have different keys, or their clocks differ.",
			"give every replica the same keyring_file and a synchronised clock (chrony, ntpd)"
	}
	c, err := f.callers.OfCookie(ex.Site, r)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return "The browser sent its session cookie back, but the session is not known here: the servers " +
				"behind this address do not share their sessions, or something ended it at once.",
			"give every replica the same store.url, a PostgreSQL; see `vexa-sso audit --event session_ended`"
	case err != nil:
		return "The session store cannot be reached right now.",
			"check that the store answers: /readyz says why it does not"
	case f.callers.Expired(c, f.edge.Now()):
		return "The session was over as soon as it had begun: the clocks of the servers behind this " +
				"address differ, or sessions are set up to last for seconds only.",
			"synchronise the clocks of all replicas (chrony, ntpd), and look at session.idle and " +
				"session.lifetime"
	}
	return "The browser is signed in, and still something sends it to sign in again.",
		"look for what leads to /sso/login: a page, a bookmark or a proxy in front of us that treats some " +
			"answer as signed out"
}
