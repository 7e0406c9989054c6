package oidctest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// OktaOptions set an Okta double up. The zero value is an org with one custom authorization server,
// "default", whose ID tokens are thin in the code flow.
type OktaOptions struct {
	BaseURL    string           // the org's issuer; required by NewOkta. StartOkta takes only its path
	Now        func() time.Time // default time.Now
	Rand       io.Reader        // default crypto/rand
	AutoSignIn bool             // obey demo_auto=1 at the authorization endpoint
	TLS        bool             // StartOkta serves https with a certificate of its own; see CAPEM

	// Servers are the custom authorization servers. Default: DefaultOktaServer. The
	// org's own is always there.
	Servers []OktaServer

	// Metadata overrides members of the OpenID documents; a nil value removes one.
	Metadata map[string]any

	// GroupsFilter selects the groups that the groups claim may name. Default: all. More than
	// 100 fail the whole request.
	GroupsFilter func(group string) bool

	// GroupsCap makes the groups claim one of an expression: it is cut off at so many, at most 100, and
	// nothing tells. 0: it is one of a filter.
	GroupsCap int

	FatIDTokens  bool // complete ID tokens even where an access token comes along
	ReturnIssuer bool // iss in the authorization response (RFC 9207)
	SID          bool // sid in ID tokens
	RefreshNonce bool // repeat the nonce in refreshed ID tokens
	ReplayKills  bool // a code used twice revokes what came of its first use

	// FrontChannelPOST makes Okta post to front-channel logout URIs, as one of its examples has
	// it, instead of loading them.
	FrontChannelPOST bool
}

// OktaServer is a custom authorization server.
type OktaServer struct {
	ID                  string        // the path segment: default, or aus…
	Audience            string        // of its access tokens
	Scopes              []string      // what an admin added to the standard scopes
	GroupsInIDToken     bool          // groups claim included "always", even in thin ID tokens
	GroupsInAccessToken bool          // groups claim on access tokens too
	AccessTokenLifetime time.Duration // default one hour
}

// DefaultOktaServer is the authorization server that an org starts with, and a groups
// scope that an admin has added.
func DefaultOktaServer() OktaServer {
	return OktaServer{ID: "default", Audience: "api://default", Scopes: []string{"groups"}}
}

// Okta is a stand-in for an Okta org.
type Okta struct {
	*Double
	options OktaOptions
	orgID   string
	org     *oktaServer
	custom  []*oktaServer
	used    *lru.Cache[string, struct{}] // jti of client assertions
	parked  *lru.Cache[string, *parkedRequest]
}

// oktaServer is one authorization server of the org, its own or a custom one.
type oktaServer struct {
	OktaServer
	issuer     string
	path       string   // of its endpoints
	keys       *Keyring // published
	accessKeys *Keyring // of access tokens; the org publishes none of these
}

func (s *oktaServer) isOrg() bool { return s.ID == "" }

func (s *oktaServer) endpoint(o *Okta, name string) string { return o.url(s.path + "/" + name) }

// StartOkta serves an Okta double on a port of the loopback interface until the test ends.
func StartOkta(t TB, options OktaOptions) *Okta {
	t.Helper()
	l, err := listen(options.BaseURL, options.TLS)
	if err != nil {
		t.Fatalf("starting Okta: %v", err)
	}
	options.BaseURL = l.base
	o, err := NewOkta(options)
	if err != nil {
		t.Fatalf("starting Okta: %v", err)
	}
	l.serve(o.Double)
	t.Cleanup(o.Close)
	return o
}

// NewOkta makes an Okta double for a program that serves it below options.BaseURL itself.
func NewOkta(options OktaOptions) (*Okta, error) {
	d, err := newDouble(settings{
		baseURL: options.BaseURL, now: options.Now, random: options.Rand, autoSignIn: options.AutoSignIn,
		newID: oktaID,
		page: pageStyle{
			Title: "Okta", Accent: "#1662dd", cookie: "idx",
			newSID: func(r *random) string { return "102" + r.token(12) },
		},
	})
	if err != nil {
		return nil, err
	}
	if options.Servers == nil {
		options.Servers = []OktaServer{DefaultOktaServer()}
	}
	if options.GroupsFilter == nil {
		options.GroupsFilter = func(string) bool { return true }
	}
	o := &Okta{
		Double: d, options: options, orgID: derivedOktaID("00o", "org"), used: newCache[struct{}](),
		parked: newCache[*parkedRequest](),
	}
	o.org = o.newServer(OktaServer{Audience: d.BaseURL(), AccessTokenLifetime: time.Hour})
	o.org.accessKeys = newKeyring("", NewKey)
	for _, server := range options.Servers {
		if server.ID == "" || strings.ContainsAny(server.ID, "/?#") || server.ID == "v1" {
			return nil, fmt.Errorf(
				"an Okta authorization server needs an ID that is one path segment, not %q", server.ID,
			)
		}
		o.custom = append(o.custom, o.newServer(server))
	}
	o.routes()
	return o, nil
}

func oktaID(name string, nth int) string {
	prefix := "00u"
	if strings.HasPrefix(name, "client ") {
		prefix = "0oa"
	}
	return derivedOktaID(prefix, fmt.Sprint(name, nth))
}

// newServer sets up an authorization server. Okta's key sets say for how many seconds they are safe to
// keep, a big and uneven number.
func (o *Okta) newServer(server OktaServer) *oktaServer {
	if server.AccessTokenLifetime == 0 {
		server.AccessTokenLifetime = time.Hour
	}
	s := &oktaServer{
		OktaServer: server, issuer: o.BaseURL(), path: "/oauth2/v1",
		keys: newKeyring("max-age=3832304, must-revalidate", NewKey),
	}
	if server.ID != "" {
		s.issuer = o.url("/oauth2/" + server.ID)
		s.path = "/oauth2/" + server.ID + "/v1"
	}
	s.accessKeys = s.keys
	return s
}

func (o *Okta) servers() []*oktaServer { return append([]*oktaServer{o.org}, o.custom...) }

func (o *Okta) routes() {
	for _, s := range o.servers() {
		o.handleAt(s, "/openid-configuration", EndpointDiscovery, o.discovery)
		o.handleAt(s, "/oauth-authorization-server", EndpointDiscovery, o.oauthMetadata)
		o.handleAt(s, "keys", EndpointKeys, o.serveKeys)
		o.handleAt(s, "authorize", EndpointAuthorize, o.authorize)
		o.handleAt(s, "par", EndpointOther, o.park)
		o.handleAt(s, "token", EndpointToken, o.token)
		o.handleAt(s, "userinfo", EndpointUserInfo, o.userInfo)
		o.handleAt(s, "introspect", EndpointIntrospect, o.introspect)
		o.handleAt(s, "revoke", EndpointRevoke, o.revokeToken)
		o.handleAt(s, "logout", EndpointLogout, o.logout)
		o.handleAt(s, "device/authorize", EndpointDevice, o.deviceAuthorize)
		if !s.isOrg() {
			o.handle("GET /.well-known/oauth-authorization-server/oauth2/"+s.ID, EndpointDiscovery,
				func(w http.ResponseWriter, r *http.Request) { o.oauthMetadata(w, r, s) })
		}
	}
	o.handle("POST /sign-in", EndpointSignIn,
		o.stamped(func(w http.ResponseWriter, r *http.Request) { o.choose(w, r, oktaAuthorizer{o}) }))
	o.handle("/activate", EndpointDevice, o.stamped(o.activate))
	o.handle("/oauth2/v1/clients", EndpointOther, o.stamped(o.register))
	o.handle("GET /.well-known/ssf-configuration", EndpointDiscovery, o.stamped(o.ssfConfiguration))
}

// handleAt serves an endpoint of one authorization server. A name that starts with a slash
// is a well-known document.
func (o *Okta) handleAt(
	s *oktaServer, name string, endpoint Endpoint,
	answer func(http.ResponseWriter, *http.Request, *oktaServer),
) {
	pattern := s.path + "/" + name
	if strings.HasPrefix(name, "/") {
		pattern = strings.TrimPrefix(s.issuer, o.BaseURL()) + "/.well-known" + name
	}
	o.handle(pattern, endpoint, o.stamped(func(w http.ResponseWriter, r *http.Request) {
		if endpoint != EndpointDiscovery && endpoint != EndpointKeys {
			o.showRateLimit(w, 599, time.Minute)
		}
		answer(w, r, s)
	}))
}

// stamped puts Okta's request id on an answer.
func (o *Okta) stamped(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Okta-Request-Id", o.random.token(20))
		answer(w, r)
	}
}

// Issuer is the issuer of the first custom authorization server, of the org when there is none.
func (o *Okta) Issuer() string { return o.main().issuer }

// OrgIssuer is the issuer of the org's own authorization server.
func (o *Okta) OrgIssuer() string { return o.org.issuer }

// Keys are the keys of the authorization server with this issuer, nil for an issuer that is not of this org.
func (o *Okta) Keys(issuer string) *Keyring {
	for _, s := range o.servers() {
		if s.issuer == issuer {
			return s.keys
		}
	}
	return nil
}

func (o *Okta) main() *oktaServer {
	if len(o.custom) > 0 {
		return o.custom[0]
	}
	return o.org
}

func (o *Okta) server(id string) *oktaServer {
	for _, s := range o.servers() {
		if s.ID == id {
			return s
		}
	}
	return o.org
}
