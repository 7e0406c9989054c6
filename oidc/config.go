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
	Name        string `yaml:"name"`  // names the redirect URI and every canonical record; letters, digits, - and _
	Title       string `yaml:"title"` // what people read on the button; default: a readable form of Name and Type
	Type        string `yaml:"type"`  // okta | entra | oidc
	Issuer      string `yaml:"issuer"`
	ClientID    string `yaml:"client_id"`
	RedirectURL string `yaml:"-"` // public_url + /sso/callback/<name>

	// Client authentication: none of these means a public client (PKCE only). Two secrets serve during a rotation.
	ClientSecret  string   `yaml:"client_secret" secret:"true"`
	ClientSecrets []string `yaml:"client_secrets" secret:"true"`

	Scopes         []string `yaml:"scopes"` // added to openid profile email offline_access
	TrustedDomains []string `yaml:"trusted_domains"`
	CAFile         string   `yaml:"ca_file"`
	ProxyURL       string   `yaml:"proxy_url" secret:"true"`
	ResponseMode   string   `yaml:"response_mode"` // query (default) | form_post

	// GroupsClaim and RolesClaim name the claims that carry groups and roles. Default: groups and roles.
	GroupsClaim string `yaml:"groups_claim"`
	RolesClaim  string `yaml:"roles_claim"`

	// Entra ID.
	Tenant         string   `yaml:"tenant"` // GUID, or organizations with AllowedTenants
	AllowedTenants []string `yaml:"allowed_tenants"`
	Cloud          string   `yaml:"cloud"`  // public (default) | usgov | china | a login host, with scheme only for loopback
	Guests         string   `yaml:"guests"` // deny (default) | allow

	Timeout time.Duration `yaml:"timeout"` // of each call to the provider; default 10s
}
