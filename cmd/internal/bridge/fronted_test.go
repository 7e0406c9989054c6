package bridge_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// What is shipped for nginx and Caddy is held to what the bridge promises without a proxy in front:
// nothing is held back, cut off, believed or told that would not be otherwise. Both are real, and so is
// all between the client and Vexa.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	testFronted(t, findProxy(t, "nginx", "VEXA_SSO_TEST_NGINX", "/usr/sbin/nginx"), startNginx)
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	testFronted(t, findProxy(t, "caddy", "VEXA_SSO_TEST_CADDY", "/usr/bin/caddy"), startCaddy)
}

// frontedPublic is the public_url that the files speak of.
const frontedPublic = "https://vexa.acme.example"

// fronted is a bridge behind somebody else's proxy, and two people who are signed in.
type fronted struct {
	t        *testing.T
	w        *world
	r        *replica
	vexa     *behind
	front    *front
	ada, tim *browser
}

func testFronted(t *testing.T, program string, start func(t *testing.T, program, bridge string) *front) {
	w := newWorld(t, with("public", frontedPublic))
	w.document = strings.Replace(document, "metrics:", "trusted_proxies: [127.0.0.1]\nmetrics:", 1)
	vexa := startBehind(t, w.vexa)
	w.settings["gateway"] = vexa.url
	w.configure()
	f := &fronted{t: t, w: w, vexa: vexa, r: w.serve()}
	f.front = start(t, program, f.r.address)
	f.ada, f.tim = f.signIn(ada), f.signIn(tim)

	// They are opened first and looked at last: by then they have been silent for longer than what
	// surrounds the file lets pass.
	opened := time.Now()
	socket, stream := f.socket(f.ada), f.stream(silentPath, f.front.http2)
	for _, test := range []struct {
		what string
		hold func(*fronted)
	}{
		{"sign-in", (*fronted).holdSignIn},
		{"the client's address", (*fronted).holdAddress},
		{"what a client claims", (*fronted).holdClaims},
		{"paths", (*fronted).holdPaths},
		{"names", (*fronted).holdNames},
		{"WebSocket", (*fronted).holdSocket},
		{"events", (*fronted).holdEvents},
		{"lines", (*fronted).holdLines},
		{"upload", (*fronted).holdUpload},
		{"refused upload", (*fronted).holdRefusedUpload},
		{"recording", (*fronted).holdRecording},
		{"long headers", (*fronted).holdLongHeaders},
		{"long answers", (*fronted).holdLongAnswers},
		{"nothing is cached", (*fronted).holdNoCache},
		{"connections", (*fronted).holdConnections},
		{"log", (*fronted).holdLog},
	} {
		t.Run(test.what, func(t *testing.T) { test.hold(f.in(t)) })
	}
	t.Run("silence", func(t *testing.T) {
		on := f.in(t)
		<-time.After(time.Until(opened.Add(2 * surroundingTimeout)))
		talks(t, "after a silence", socket)
		on.say(silentPath, "after a silence")
		on.hear(stream, "after a silence")
	})
	t.Run("suspension", func(t *testing.T) { f.in(t).holdSuspension(socket, stream) })
	t.Run("without the bridge", func(t *testing.T) { f.in(t).holdLogOfErrors() })
}

// in is the same for a test within this one.
func (f *fronted) in(t *testing.T) *fronted {
	on, w := *f, *f.w
	on.t, w.t, on.w = t, t, &w
	for _, b := range []**browser{&on.ada, &on.tim} {
		bound := **b
		bound.w, *b = &w, &bound
	}
	return &on
}

// browser is a person's, led to the proxy. It speaks HTTP/2.
func (f *fronted) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(f.t, err)
	b := f.r.browserWith(jar)
	b.w, b.Transport = f.w, f.front.http2
	return b
}

func (f *fronted) signIn(who string) *browser {
	f.t.Helper()
	b := f.browser()
	if res := b.signIn("okta", who); res.status != http.StatusSeeOther || b.cookie() == "" {
		f.t.Fatalf("signing %s in: %v\n%s", who, res, f.front.log())
	}
	good(f.t, "after signing in", b)
	return b
}
