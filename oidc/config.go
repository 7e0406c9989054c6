package oidc

import "time"

// The types of provider.
const (
	TypeOkta  = "okta"
	TypeEntra = "entra"
	TypeOIDC  = "oidc"
)

// Config is one configured identity provider.
type Config struct {
	Name string `yaml:"name"` // names the redirect URI and every canonical record; letters, digits, - and _
	// what people read on the button; default: a readable form of Name and Type
	Title       string `yaml:"title"`
	Type        string `yaml:"type"` // okta | entra | oidc
	Issuer      string `yaml:"issuer"`
	ClientID    string `yaml:"client_id"`
	RedirectURL string `yaml:"-"` // public_url + /sso/callback/<name>

	// Client authentication: exactly one way; none of these means a public client (PKCE only). Two secrets
	// serve during a rotation. Files are read when they are used.
	ClientSecret   string   `yaml:"client_secret" secret:"true"`
	ClientSecrets  []string `yaml:"client_secrets" secret:"true"`
	PrivateKeyFile string   `yaml:"private_key_file"` // PEM: signs assertions (private_key_jwt)
	KeyID          string   `yaml:"key_id"`           // kid of that key at the provider
	// PEM: names the key at Entra; the key in the same file or in PrivateKeyFile
	CertificateFile string `yaml:"certificate_file"`
	// Entra: another issuer's token stands in for a secret (workload identity)
	FederatedTokenFile string `yaml:"federated_token_file"`

	Scopes         []string `yaml:"scopes"` // added to openid profile email offline_access
	TrustedDomains []string `yaml:"trusted_domains"`
	CAFile         string   `yaml:"ca_file"`
	ProxyURL       string   `yaml:"proxy_url" secret:"true"`
	ResponseMode   string   `yaml:"response_mode"` // query (default) | form_post

	// What proves that a person signed in lately, where max_age or a fresh sign-in asks for that.
	Reauthentication string `yaml:"reauthentication"` // auth_time (default) | prompt

	// Of every authorization request. They are asked for, in an address that whoever sits at the browser can
	// change; that they were obeyed is for rules to require (claims acr and amr). max_age is held against
	// auth_time.
	ACRValues []string `yaml:"acr_values"`
	// login | consent | select_account; empty: as the provider sees fit
	Prompt          string            `yaml:"prompt"`
	MaxAge          time.Duration     `yaml:"max_age"`          // of the sign-in at the provider; 0: any
	DomainHint      string            `yaml:"domain_hint"`      // Entra: whose sign-in page to show
	ExtraParameters map[string]string `yaml:"extra_parameters"` // whatever else the provider knows

	API API `yaml:"api"`

	// GroupsClaim and RolesClaim name the claims that carry groups and roles. Default: groups and roles.
	GroupsClaim string `yaml:"groups_claim"`
	RolesClaim  string `yaml:"roles_claim"`
	// GroupsLimit is the most groups that the provider puts into the claim before it cuts the list off
	// without saying so: a list as long as that is not complete. Default for Okta: 100. 0: it always says so.
	GroupsLimit int `yaml:"groups_limit"`

	// Entra ID.
	Tenant         string   `yaml:"tenant"` // GUID, or organizations with AllowedTenants
	AllowedTenants []string `yaml:"allowed_tenants"`
	// public (default) | usgov | china | a login host, with scheme only for loopback
	Cloud  string `yaml:"cloud"`
	Guests string `yaml:"guests"` // deny (default) | allow

	Timeout time.Duration `yaml:"timeout"` // of each call to the provider; default 10s
}

// API is what a provider's access tokens must say to be taken as bearer tokens. Without audiences, none are.
type API struct {
	// Audiences are those that the tokens may be for (aud). For Entra, an application's id and api://<id> are
	// the same.
	Audiences []string `yaml:"audiences"`

	// Issuers are taken besides the provider's own: Okta's other custom authorization servers of the same
	// org; for Entra, the issuer of version 1 tokens in a cloud where it is not known, with the tenant's id
	// or {tenantid} in it.
	Issuers []string `yaml:"issuers"`

	// of people's tokens, and of programs' where those have scopes: not Entra's
	RequiredScope string `yaml:"required_scope"`
	// of programs' own tokens. Entra's must have a role in any case
	RequiredRole string `yaml:"required_role"`
	// the programs that may show tokens (azp, appid, cid, client_id); empty: any
	Clients []string `yaml:"clients"`
}
