package oidctest

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The grant types that a client can be given.
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
)

// Client is an application registered at a double. Only ID and RedirectURIs matter for an ordinary relying
// party; a client without secrets, keys, certificates or federated credentials is public.
type Client struct {
	ID   string // made up when empty
	Name string // what the sign-in page says; default: the ID

	// Secrets all work, as during a rotation. ExpiredSecrets are those that Entra says are
	// expired and Okta calls wrong.
	Secrets        []string
	ExpiredSecrets []string

	// Keys verify private_key_jwt assertions at Okta and Plain; Certificates do at Entra, by thumbprint.
	Keys         []jose.JSONWebKey
	Certificates []*x509.Certificate

	// Federated are Entra's federated identity credentials: another issuer's tokens stand in for a secret.
	Federated []FederatedCredential

	RedirectURIs   []string
	PostLogoutURIs []string // Entra uses RedirectURIs
	GrantTypes     []string // default: authorization_code and refresh_token
	RequirePKCE    bool

	// ImplicitIDTokens allows response_type id_token and code id_token, whose ID tokens are fat at Okta.
	ImplicitIDTokens bool

	// RotateRefresh makes Okta and Plain hand out a new refresh token each time; the old one works for Leeway
	// more. Use of an old one after that revokes everything that came of the sign-in. False: Okta's STATIC,
	// the same token each time.
	RotateRefresh bool
	Leeway        time.Duration

	// FrontChannelLogoutURI is loaded in an invisible frame when the person signs out at the provider.
	FrontChannelLogoutURI string

	// ServiceScopes are the scopes that Okta grants this client for itself (client_credentials).
	ServiceScopes []string

	// The rest is Entra's.

	// Tenant is the only tenant whose people may sign in. Default: any (a multi-tenant registration).
	Tenant string

	// ServicePrincipal is the object id that app-only tokens carry as oid and sub.
	// Default: derived from the ID.
	ServicePrincipal string

	// TokenVersion is the version of access tokens issued for this client as the API: 2 (default) or 1.
	TokenVersion int

	// AppRoles are the application permissions that this client was granted, by the API's client id. A client
	// without any still gets tokens, without a roles claim.
	AppRoles map[string][]string

	// GraphPermissions are the delegated and application permissions on Microsoft Graph.
	// Default (nil): User.Read.
	GraphPermissions []string

	// OptionalClaims are the claims configured for the client's ID tokens. Default (nil): acct, auth_time,
	// email, login_hint, sid and xms_edov. Also known: upn, idtyp, verified_primary_email.
	OptionalClaims []string

	// AccessTokenClaims are the optional claims configured for access tokens to this client as the API: acct,
	// email, groups, upn, verified_primary_email, xms_edov. idtyp may be among them or among OptionalClaims.
	AccessTokenClaims []string

	// Delegated are the permissions on APIs that were consented to for this client to use in people's names,
	// by the API's client id: what the scope <API>/.default stands for. Default: user_impersonation on each.
	Delegated map[string][]string

	// NoGroupsClaim leaves groups out of tokens altogether (groupMembershipClaims unset).
	NoGroupsClaim bool

	// LeanRefresh has Okta tell the groups in the ID token of a sign-in and nowhere else: neither that of a
	// refresh nor userinfo repeats them.
	LeanRefresh bool

	// SPA registers the redirect URIs as single-page application: refresh tokens end after 24 hours.
	SPA bool
}

// FederatedCredential is one workload identity that may act as a client at Entra. All three strings must
// match the assertion exactly, case included.
type FederatedCredential struct {
	Issuer   string
	Subject  string
	Audience string // default api://AzureADTokenExchange
	Keys     []jose.JSONWebKey
}

var (
	defaultOptionalClaims   = []string{"acct", "auth_time", "email", "login_hint", "sid", "xms_edov"}
	defaultGraphPermissions = []string{"User.Read"}
)

func (c Client) clone() Client {
	c.Secrets = slices.Clone(c.Secrets)
	c.ExpiredSecrets = slices.Clone(c.ExpiredSecrets)
	c.Keys = slices.Clone(c.Keys)
	c.Certificates = slices.Clone(c.Certificates)
	c.Federated = slices.Clone(c.Federated)
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.PostLogoutURIs = slices.Clone(c.PostLogoutURIs)
	c.GrantTypes = slices.Clone(c.GrantTypes)
	c.ServiceScopes = slices.Clone(c.ServiceScopes)
	c.AppRoles = maps.Clone(c.AppRoles)
	c.GraphPermissions = slices.Clone(c.GraphPermissions)
	c.OptionalClaims = slices.Clone(c.OptionalClaims)
	c.AccessTokenClaims = slices.Clone(c.AccessTokenClaims)
	c.Delegated = maps.Clone(c.Delegated)
	return c
}

func (c Client) public() bool {
	return len(c.Secrets) == 0 && len(c.ExpiredSecrets) == 0 && len(c.Keys) == 0 &&
		len(c.Certificates) == 0 && len(c.Federated) == 0
}

func (c Client) may(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

func (c Client) emits(claim string) bool { return slices.Contains(c.OptionalClaims, claim) }

// AddClient registers a client, or replaces the one of the same ID, and returns it
// with every default filled in.
func (d *Directory) AddClient(c Client) Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	c = c.clone()
	if c.ID == "" {
		c.ID = d.newID("client "+c.Name, len(d.clients))
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	if c.GrantTypes == nil {
		c.GrantTypes = []string{GrantCode, GrantRefresh}
	}
	if c.ServicePrincipal == "" {
		c.ServicePrincipal = derivedGUID("service principal " + c.ID)
	}
	if c.TokenVersion == 0 {
		c.TokenVersion = 2
	}
	if c.OptionalClaims == nil {
		c.OptionalClaims = defaultOptionalClaims
	}
	if c.GraphPermissions == nil {
		c.GraphPermissions = defaultGraphPermissions
	}
	d.clients[c.ID] = &c
	return c.clone()
}

// Client finds a client by its ID.
func (d *Directory) Client(id string) (Client, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if c, ok := d.clients[id]; ok {
		return c.clone(), true
	}
	return Client{}, false
}

// ChangeClient changes a registered client; change must not call the directory again.
func (d *Directory) ChangeClient(id string, change func(*Client)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clients[id]
	if !ok {
		return fmt.Errorf("the directory has no client %q", id)
	}
	change(c)
	return nil
}

// Clients lists every registered client, in no order.
func (d *Directory) Clients() []Client {
	d.mu.RLock()
	defer d.mu.RUnlock()
	clients := make([]Client, 0, len(d.clients))
	for _, c := range d.clients {
		clients = append(clients, c.clone())
	}
	return clients
}
