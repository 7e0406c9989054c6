package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/page"
)

const (
	loopSignIns = 3 // completed sign-ins of one browser …
	loopWindow  = time.Minute
)

// recentSignIns are the sign-ins that this browser completed within the last minute, by its own account. Whoever forges it fools
// themselves.
func (p *Proxy) recentSignIns(r *http.Request) []int64 {
	var recent []int64
	now := p.now().Unix()
	for text := range strings.SplitSeq(cookieValue(r.Header["Cookie"], p.names.recent), ".") {
		at, err := strconv.ParseInt(text, 10, 64)
		if err == nil && at <= now && now-at < int64(loopWindow/time.Second) && len(recent) < loopSignIns {
			recent = append(recent, at)
		}
	}
	return recent
}

// countSignIn adds a completed sign-in to those that were recent when it began.
func (p *Proxy) countSignIn(w http.ResponseWriter, recent []int64) {
	var text strings.Builder
	for _, at := range recent {
		fmt.Fprintf(&text, "%d.", at)
	}
	fmt.Fprint(&text, p.now().Unix())
	http.SetCookie(w, p.recentCookie(text.String(), int(loopWindow/time.Second)))
}

// forgetSignIns is for when a person signs out: signing in again is no circle then.
func (p *Proxy) forgetSignIns(w http.ResponseWriter) { http.SetCookie(w, p.recentCookie("", -1)) }

func (p *Proxy) recentCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: p.names.recent, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: p.names.secure, SameSite: http.SameSiteLaxMode}
}

// loop says that signing in leads in circles, and why, as far as can be told from here.
func (p *Proxy) loop(r *http.Request) *problem {
	cause, remedy := p.loopCause(r)
	return &problem{
		Code: "sign_in_loop", Detail: "This browser signed in several times within a minute, and was asked to sign in again each time. " + cause,
		Err: errors.New(cause), Remedy: remedy,
		Facts: []page.Fact{
			{Name: "Address that was opened", Value: r.Host},
			{Name: "Address that we are set up for", Value: p.origin},
			{Name: "Our clock", Value: p.now().UTC().Format(time.RFC3339)},
		},
	}
}

// loopCause follows the session cookie to where it got lost.
func (p *Proxy) loopCause(r *http.Request) (cause, remedy string) {
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	if cookie == "" {
		return "The browser did not send our session cookie back: it blocks cookies for this site, or something between it and us takes them away.",
			"check that the browser opens exactly public_url, with its scheme and host, and that no proxy in front of us drops Cookie or Set-Cookie"
	}
	var id string
	if err := p.cookies.codec.Decode(p.names.session, cookie, &id); err != nil {
		return "The browser sent a session cookie back that this server cannot read: the servers behind this address have different keys, or their clocks differ.",
			"give every replica the same keyring_file and a synchronised clock (chrony, ntpd)"
	}
	c, err := p.sessionOfCookie(r, cookie)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return "The browser sent its session cookie back, but the session is not known here: the servers behind this address do not share their sessions, or something ended it at once.",
			"give every replica the same store.url, a PostgreSQL; look into the audit for session_ended"
	case err != nil:
		return "The session store cannot be reached right now.", "look at the health of the store"
	case p.expired(c, p.now()):
		return "The session was over as soon as it had begun: the clocks of the servers behind this address differ, or sessions are set up to last for seconds only.",
			"synchronise the clocks of all replicas (chrony, ntpd), and look at session.idle and session.lifetime"
	}
	return "The browser is signed in, and still something sends it to sign in again.", "look for what leads to /sso/login: a page, a bookmark or a proxy in front of us that treats some answer as signed out"
}
