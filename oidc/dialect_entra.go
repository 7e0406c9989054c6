package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	// tenantPlaceholder stands for the tenant in the issuer of Entra's multi-tenant documents and in that of
	// its keys.
	tenantPlaceholder = "{tenantid}"
	// anyOrganization is the path of the documents and endpoints that serve every work tenant.
	anyOrganization = "organizations"
	// consumerTenant is where personal Microsoft accounts are. It is nobody's organisation.
	consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// cloud is one of Microsoft's separate clouds, or a login host of its own.
type cloud struct {
	name     string // in canonical subjects
	login    string // URL below which tenants are, without a trailing slash
	sts      string // issuer of version 1 tokens, with {tenantid}; "" when not known
	instance string // cloud_instance_name of its keys; "" when not known
	graph    string // host of its Microsoft Graph; "" when not known
}

var clouds = []struct {
	cloud
	hosts []string // any of them means this cloud
}{
	{
		cloud{
			"public", "https://login.microsoftonline.com", "https://sts.windows.net/{tenantid}/",
			"microsoftonline.com", "graph.microsoft.com",
		},
		[]string{"", "public", "login.microsoftonline.com", "login.windows.net", "login.microsoft.com"},
	},
	{
		cloud{
			"usgov", "https://login.microsoftonline.us", "https://sts.windows.net/{tenantid}/",
			"microsoftonline.us", "graph.microsoft.us",
		},
		[]string{"usgov", "login.microsoftonline.us"},
	},
	{
		cloud{
			"china", "https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn/{tenantid}/",
			"partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn",
		},
		[]string{"china", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
	},
}

// cloudOf reads the setting cloud: a name, a login host, or a URL on loopback.
func cloudOf(setting string) (cloud, error) {
	setting = strings.TrimRight(strings.ToLower(strings.TrimSpace(setting)), "/")
	for _, known := range clouds {
		if slices.Contains(known.hosts, setting) {
			return known.cloud, nil
		}
	}
	login := setting
	if !strings.Contains(setting, "://") {
		login = "https://" + setting
	}
	u, err := url.Parse(login)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return cloud{}, errors.New("it is neither the name of a cloud nor a login host")
	}
	if !loopback(u.Hostname()) && (u.Path != "" || login == setting || !strings.Contains(u.Host, ".")) {
		return cloud{}, errors.New("it is neither the name of a cloud nor a login host")
	}
	return cloud{name: u.Host + u.Path, login: login}, nil
}

// issuerTemplate is the issuer of a cloud's tenants. External tenants (ciamlogin.com) have a host each.
func (c cloud) issuerTemplate() string {
	if strings.HasSuffix(c.login, ".ciamlogin.com") {
		return "https://" + tenantPlaceholder + ".ciamlogin.com/" + tenantPlaceholder + "/v2.0"
	}
	return c.login + "/" + tenantPlaceholder + "/v2.0"
}

// entra is the dialect of Microsoft Entra ID, version 2.0 endpoints: of one tenant, or of all with a list of
// those allowed.
type entra struct {
	cloud   cloud
	segment string   // of the path: the tenant, or organizations
	tenants []string // allowed, in lower case
	guests  bool     // allowed
	// template is the issuer with {tenantid} in place of the tenant.
	template string
	// templatesV1 are those of version 1 access tokens.
	templatesV1 []string
}

func newEntra(cfg Config) (*entra, error) {
	where, err := cloudOf(cfg.Cloud)
	if err != nil {
		return nil, fmt.Errorf("cloud: %w", err)
	}
	e := &entra{
		cloud:    where,
		segment:  strings.ToLower(strings.TrimSpace(cfg.Tenant)),
		tenants:  lowered(cfg.AllowedTenants),
		guests:   cfg.Guests == GuestsAllow,
		template: where.issuerTemplate(),
	}
	for _, template := range append([]string{where.sts}, cfg.API.Issuers...) {
		if template = strings.TrimSpace(template); template != "" {
			e.templatesV1 = append(e.templatesV1, template)
		}
	}
	if e.segment != anyOrganization {
		e.tenants = []string{e.segment}
	}
	return e, nil
}

func (e *entra) documentURL() string {
	return e.cloud.login + "/" + e.segment + "/v2.0/.well-known/openid-configuration"
}

// issuer is that of the tenant; of many tenants, the template.
func (e *entra) issuer() string {
	if e.segment == anyOrganization {
		return e.template
	}
	return issuerOf(e.template, e.segment)
}

func issuerOf(template, tenant string) string {
	return strings.ReplaceAll(template, tenantPlaceholder, tenant)
}

func (e *entra) accepts(documentIssuer string) bool { return documentIssuer == e.issuer() }

// handlesIssuer knows the issuers of every allowed tenant.
func (e *entra) handlesIssuer(_ *document, iss string) bool {
	return slices.ContainsFunc(e.tenants, func(tenant string) bool {
		return iss == issuerOf(e.template, tenant)
	})
}

// keyFits holds a key to the tenants and the cloud it was published for. Entra publishes the keys of personal
// accounts, and of other clouds, beside those of work tenants; without this check any of them could sign for
// any tenant.
func (e *entra) keyFits(doc *document, key publicKey, c claims) error {
	tid, iss := c.text("tid"), c.text("iss")
	for _, tenant := range e.tenants {
		if e.isV1(iss, tenant) {
			iss = issuerOf(e.template, tenant) // keys name version 2 alone, and sign for both
		}
	}
	if key.issuer != "" && issuerOf(key.issuer, tid) != iss {
		return fmt.Errorf("the key is for the issuer %s, and signed a token of %s",
			quoted(key.issuer), quoted(iss))
	}
	here := doc.CloudInstanceName
	if here == "" {
		here = e.cloud.instance
	}
	if key.cloud != "" && here != "" && key.cloud != here {
		return fmt.Errorf("the key is for the cloud %s, and this is %s", quoted(key.cloud), quoted(here))
	}
	return nil
}

// check holds iss to tid, the tenant to allowed_tenants, and the person to the setting guests.
func (e *entra) check(doc *document, c claims) *Error {
	tid := c.text("tid")
	if !guid.MatchString(tid) {
		return invalid("Many of these may be an attack: Entra always names the tenant.",
			fmt.Errorf("the ID token's tid is not a GUID: %s", quoted(tid)))
	}
	if c.text("iss") != issuerOf(doc.IssuerURL, tid) {
		return invalid("Many of these may be an attack: issuer and tenant always agree.",
			fmt.Errorf("the ID token's iss is %s, and its tid %s", quoted(c.text("iss")), tid))
	}
	return e.admit(c)
}

// admit holds the tenant to allowed_tenants, and the person to the setting guests.
func (e *entra) admit(c claims) *Error {
	tid := c.text("tid")
	if !slices.Contains(e.tenants, strings.ToLower(tid)) {
		return refusedTenant(tid)
	}
	if !e.guests && isGuest(c) {
		return &Error{
			Code: CodeGuestRefused, Outcome: OutcomeGone, Message: "Guest accounts may not sign in here.",
			Remedy: "If they should, set guests: allow.",
			Err:    fmt.Errorf("%s is a guest of the tenant", quoted(c.text("oid"))),
		}
	}
	return nil
}

func refusedTenant(tenant string) *Error {
	return &Error{
		Code: CodeTenantRefused, Outcome: OutcomeGone,
		Message: "Accounts of your organisation may not sign in here.",
		Remedy:  "If they should, add the tenant to allowed_tenants.",
		Err:     fmt.Errorf("the tenant %s is not allowed", tenant),
	}
}

// isGuest recognises somebody whose home is elsewhere, by each of the three marks that a token may carry.
func isGuest(c claims) bool {
	if strings.Contains(strings.ToUpper(c.text("upn")+" "+c.text("preferred_username")), "#EXT#") {
		return true
	}
	if c.one("acct") {
		return true
	}
	idp := c.text("idp")
	return idp != "" && idp != c.text("iss") &&
		!strings.Contains(strings.ToLower(idp), "/"+strings.ToLower(c.text("tid")))
}

// subject is the person's object in the tenant, the same for every application. The sub differs between
// applications.
func (e *entra) subject(c claims) (string, *Error) {
	oid := c.text("oid")
	if !guid.MatchString(oid) {
		return "", misconfigured("Allow the scope profile to the application: without it Entra "+
			"leaves out oid.", fmt.Errorf("the ID token's oid is not a GUID: %s", quoted(oid)))
	}
	return "entra:" + e.cloud.name + "/" + strings.ToLower(c.text("tid")) + "/" + strings.ToLower(oid), nil
}

// emailWord: anybody's tenant administrator can write any address into mail, so only the tenant's proven
// domains count, or that there is one tenant. A guest's address is never the tenant's to prove.
func (e *entra) emailWord(c claims) (verdict, bool) {
	return edov(c), len(e.tenants) == 1 && !isGuest(c)
}

// groupsCut: Entra says that there are more.
func (e *entra) groupsCut() int { return 0 }

// repeatsClaims: a refresh gives an ID token of the claims of now.
func (e *entra) repeatsClaims() bool { return true }

func (e *entra) microsoftGraph() (cloud, bool) { return e.cloud, true }

// userinfo: Microsoft Graph's has less than the ID token.
func (e *entra) userinfo() bool { return false }

// refreshScopes: a refresh token is good for any API, and an ID token comes only to who asks for openid.
func (e *entra) refreshScopes(asked []string) []string { return asked }

func (e *entra) prompt(asked string) string { return asked }

func (e *entra) promptForAccount() string { return "select_account" }

// takesMaxAgeZero: Entra knows nothing of max_age=0; prompt=login says the same.
func (e *entra) takesMaxAgeZero() bool { return false }

// assertionAlgorithm is what Microsoft advises.
func (e *entra) assertionAlgorithm(*document, []jose.SignatureAlgorithm) jose.SignatureAlgorithm {
	return jose.PS256
}

// logoutHint is the optional claim login_hint.
func (e *entra) logoutHint(c claims) string { return c.text("login_hint") }

// endSession: Entra takes no account of the ID token; the hint spares the person the choice between their
// accounts.
func (e *entra) endSession(doc *document, r logoutRequest) (string, bool) {
	return endSessionURL(doc, map[string]string{
		"logout_hint":              r.logoutHint,
		"post_logout_redirect_uri": r.returnTo,
	})
}

func (e *entra) universalLogoutIssuer() string { return "" }

// lowered is a list trimmed, in lower case, sorted, without blanks and repetitions.
func lowered(values []string) []string {
	var out []string
	for _, v := range values {
		if v = strings.ToLower(strings.TrimSpace(v)); v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
