package oidctest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Tenants. TenantA and TenantB are invented; MSATenant is the real id of the tenant of
// personal Microsoft accounts.
const (
	TenantA   = "7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3"
	TenantB   = "c3d4e5f6-0b1a-4c2d-8e3f-9a8b7c6d5e4f"
	MSATenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// The segments of an authority that stand for more than one tenant, or for that of personal accounts.
const (
	segmentCommon        = "common"
	segmentOrganizations = "organizations"
	segmentConsumers     = "consumers"
)

// Tenant is a directory of Entra's.
type Tenant struct {
	ID              string // GUID
	Domain          string // the initial domain, x.onmicrosoft.com
	VerifiedDomains []string
}

// DefaultTenants are TenantA, which the demo cast lives in, and TenantB, where its guest is at
// home and the Attacker too.
func DefaultTenants() []Tenant {
	return []Tenant{
		{
			ID: TenantA, Domain: "nwsim.onmicrosoft.com",
			VerifiedDomains: []string{"acme.example", "northwind.example"},
		},
		{
			ID: TenantB, Domain: "partnersim.onmicrosoft.com",
			VerifiedDomains: []string{"partner.example", "evil.example"},
		},
	}
}

// EntraOptions set an Entra double up. The zero value is the public cloud with DefaultTenants.
type EntraOptions struct {
	// what stands for https://login.microsoftonline.com; required by NewEntra. StartEntra takes only its path
	BaseURL    string
	Now        func() time.Time // default time.Now
	Rand       io.Reader        // default crypto/rand
	AutoSignIn bool             // obey demo_auto=1 at the authorization endpoint
	TLS        bool             // StartEntra serves https with a certificate of its own; see CAPEM

	Tenants       []Tenant
	CloudInstance string // cloud_instance_name; default microsoftonline.com

	// GraphHost is msgraph_host in discovery: a host, here with a path where BaseURL has one. Graph is
	// served below BaseURL and, for a program that mounts it there, at /v1.0 and /oidc too. Default:
	// BaseURL without its scheme.
	GraphHost string

	// STSBase stands for https://sts.windows.net, the issuer of version 1 tokens. Default: BaseURL + /sts.
	STSBase string

	Metadata map[string]any // overrides members of the OpenID documents; a nil value removes one

	CRLFErrors        bool // separate the parts of error descriptions by \r\n, as older answers do
	RedirectPageError bool // send AADSTS50105 to the redirect URI too, instead of a page
	LogoutIssuer      bool // add iss to front-channel logout requests
}

// Entra is a stand-in for Microsoft Entra ID: its login host, its v1 token issuer and
// Microsoft Graph on one listener.
type Entra struct {
	*Double
	options EntraOptions
	keys    *Keyring // sign for work tenants
	msaKeys *Keyring // sign for personal accounts only
}

// StartEntra serves an Entra double on a port of the loopback interface until the test ends.
func StartEntra(t TB, options EntraOptions) *Entra {
	t.Helper()
	l, err := listen(options.BaseURL, options.TLS)
	if err != nil {
		t.Fatalf("starting Entra: %v", err)
	}
	options.BaseURL = l.base
	e, err := NewEntra(options)
	if err != nil {
		t.Fatalf("starting Entra: %v", err)
	}
	l.serve(e.Double)
	t.Cleanup(e.Close)
	return e
}

// NewEntra makes an Entra double for a program that serves it below options.BaseURL itself.
func NewEntra(options EntraOptions) (*Entra, error) {
	d, err := newDouble(settings{
		baseURL: options.BaseURL, now: options.Now, random: options.Rand, autoSignIn: options.AutoSignIn,
		newID: entraID, page: pageStyle{
			Title: "Microsoft Entra ID", Accent: "#0f6cbd", cookie: "ESTSAUTH", newSID: (*random).guid,
		},
	})
	if err != nil {
		return nil, err
	}
	if options.Tenants == nil {
		options.Tenants = DefaultTenants()
	}
	for _, tenant := range options.Tenants {
		if !isGUID(tenant.ID) {
			return nil, fmt.Errorf("the Entra tenant id %q is not a GUID", tenant.ID)
		}
	}
	if len(options.Tenants) == 0 {
		return nil, fmt.Errorf("an Entra double needs a tenant")
	}
	if options.CloudInstance == "" {
		options.CloudInstance = "microsoftonline.com"
	}
	if options.GraphHost == "" {
		options.GraphHost = d.base.Host + d.base.Path
	}
	if options.STSBase == "" {
		options.STSBase = d.url("/sts")
	}
	e := &Entra{Double: d, options: options}
	e.makeKeyrings()
	e.routes()
	return e, nil
}

// entraID makes object ids, those of personal accounts with the zeros that give them away.
func entraID(name string, nth int) string {
	id := derivedGUID(fmt.Sprint(name, nth))
	if strings.HasPrefix(name, MSATenant) {
		return "00000000-0000-0000-" + id[19:]
	}
	return id
}

func (e *Entra) routes() {
	e.handleBoth("GET", "/.well-known/openid-configuration", EndpointDiscovery, e.discovery)
	e.handle("GET /{authority}/discovery/v2.0/keys", EndpointKeys, e.versioned(2, e.serveKeys))
	e.handle("GET /{authority}/discovery/keys", EndpointKeys, e.versioned(1, e.serveKeys))
	for name, endpoint := range map[string]struct {
		endpoint Endpoint
		answer   authorityHandler
	}{
		"authorize":  {EndpointAuthorize, e.authorize},
		"token":      {EndpointToken, e.token},
		"devicecode": {EndpointDevice, e.deviceCode},
		"logout":     {EndpointLogout, e.logout},
	} {
		e.handle("/{authority}/oauth2/v2.0/"+name, endpoint.endpoint, e.versioned(2, endpoint.answer))
		e.handle("/{authority}/oauth2/"+name, endpoint.endpoint, e.versioned(1, endpoint.answer))
	}
	e.handle("POST /sign-in", EndpointSignIn,
		e.stamped(func(w http.ResponseWriter, r *http.Request) { e.choose(w, r, entraAuthorizer{e}) }))
	e.handle("/devicelogin", EndpointDevice,
		e.stamped(func(w http.ResponseWriter, r *http.Request) { e.enterCode(w, r, entraAuthorizer{e}) }))
	e.graphRoutes()
}

func (e *Entra) handleBoth(method, path string, endpoint Endpoint, answer authorityHandler) {
	e.handle(method+" /{authority}/v2.0"+path, endpoint, e.versioned(2, answer))
	e.handle(method+" /{authority}"+path, endpoint, e.versioned(1, answer))
}

// authority is what a URL of the login host names: one tenant or several, and the version of the endpoint.
type authority struct {
	segment string  // as it stood in the URL
	tenant  *Tenant // nil for common, organizations and consumers
	version int
}

type authorityHandler func(http.ResponseWriter, *http.Request, authority)

func (e *Entra) versioned(version int, answer authorityHandler) http.HandlerFunc {
	return e.stamped(func(w http.ResponseWriter, r *http.Request) {
		at, ok := e.authority(r.PathValue("authority"), version)
		if !ok {
			e.aadError(w, aadUnknownTenant(r.PathValue("authority")))
			return
		}
		answer(w, r, at)
	})
}

// stamped puts the headers of Entra's front ends on an answer.
func (e *Entra) stamped(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-ms-request-id", e.random.guid())
		w.Header().Set("x-ms-ests-server", "2.1.19345.5 - WEULR1 ProdSlices")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answer(w, r)
	}
}

// authority reads the segment: a tenant's GUID, one of its domains, or one of the three words.
func (e *Entra) authority(segment string, version int) (authority, bool) {
	at := authority{segment: segment, version: version}
	switch segment {
	case segmentCommon, segmentOrganizations, segmentConsumers:
		return at, true
	}
	at.tenant = e.tenant(segment)
	return at, at.tenant != nil
}

func (e *Entra) tenant(idOrDomain string) *Tenant {
	if idOrDomain == MSATenant {
		return &Tenant{ID: MSATenant}
	}
	for i := range e.options.Tenants {
		tenant := &e.options.Tenants[i]
		if strings.EqualFold(tenant.ID, idOrDomain) || strings.EqualFold(tenant.Domain, idOrDomain) ||
			tenant.verified(idOrDomain) {
			return tenant
		}
	}
	return nil
}

func (t *Tenant) verified(domain string) bool {
	for _, verified := range t.VerifiedDomains {
		if strings.EqualFold(verified, domain) {
			return true
		}
	}
	return false
}

// Issuer is the version 2 issuer of the first tenant.
func (e *Entra) Issuer() string { return e.IssuerOf(e.options.Tenants[0].ID) }

// IssuerOf is the version 2 issuer of a tenant.
func (e *Entra) IssuerOf(tenant string) string { return e.url("/" + tenant + "/v2.0") }

// IssuerV1Of is the version 1 issuer of a tenant, which ends in a slash.
func (e *Entra) IssuerV1Of(tenant string) string { return e.options.STSBase + "/" + tenant + "/" }

// GraphURL is the root of Microsoft Graph, without a version.
func (e *Entra) GraphURL() string {
	return e.base.Scheme + "://" + e.options.GraphHost
}

// Keys are the keys that sign for work tenants, MSAKeys those for personal accounts.
func (e *Entra) Keys() *Keyring    { return e.keys }
func (e *Entra) MSAKeys() *Keyring { return e.msaKeys }

var guidPattern = regexp.MustCompile(
	`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`,
)

func isGUID(s string) bool { return guidPattern.MatchString(s) }
