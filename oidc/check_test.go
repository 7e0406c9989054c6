package oidc

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// S11: what would be unsafe does not start, and everything wrong is said at once.
func TestCheck(t *testing.T) {
	t.Parallel()
	okta := Config{Name: "okta", Type: TypeOkta, Issuer: "https://acme.okta.com", ClientID: clientID}
	custom := Config{
		Name: "okta", Type: TypeOkta, Issuer: "https://acme.okta.com/oauth2/default", ClientID: clientID,
	}
	entra := Config{Name: "entra", Type: TypeEntra, Tenant: tenantA, ClientID: clientID}
	api := func(change func(*API)) func(*Config) {
		return func(c *Config) {
			c.API.Audiences = []string{"api://default"}
			change(&c.API)
		}
	}
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	rsaKey, certificate := clientCertificate(t)
	both := pemFile(t, readAll(t, rsaKey), readAll(t, certificate))
	otherKey := pemFile(t, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKeys()[0])))
	ecKey, weak := ecKeyFile(t), weakKeyFile(t)
	federated := pemFile(t, []byte("eyJh.eyJz.c2ln\n"))
	tests := map[string]struct {
		base   Config
		change func(c *Config)
		want   []string // keys
	}{
		"okta": {base: okta},
		"okta, custom": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme.okta.com/oauth2/default/"
		}},
		"entra": {base: entra},
		"entra, many": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants = "organizations", []string{tenantA, tenantB}
		}},
		"entra, one of many, trusted": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants, c.TrustedDomains = "organizations",
				[]string{tenantA, strings.ToUpper(tenantA)}, []string{"acme.example"}
		}},
		"entra, tenant listed": {base: entra, change: func(c *Config) {
			c.AllowedTenants = []string{tenantA}
		}},
		"loopback": {base: okta, change: func(c *Config) {
			c.Issuer = "http://localhost:4190/okta/oauth2/default"
		}},
		"everything allowed": {base: okta, change: func(c *Config) {
			c.ClientSecrets, c.TrustedDomains, c.ProxyURL, c.Timeout, c.ResponseMode = []string{"a", "b"},
				[]string{"@acme.example"}, "socks5h://u:p@proxy:1080", time.Second, "form_post"
		}},

		"nothing":          {want: []string{"name", "client_id", "type"}},
		"name in capitals": {base: okta, change: func(c *Config) { c.Name = "Okta" }, want: []string{"name"}},
		"name with a slash": {
			base: okta, change: func(c *Config) { c.Name = "a/../b" }, want: []string{"name"},
		},
		"name with a line break": {
			base: okta, change: func(c *Config) { c.Name = "okta\n" }, want: []string{"name"},
		},
		"unknown type": {base: okta, change: func(c *Config) { c.Type = "saml" }, want: []string{"type"}},
		"no issuer":    {base: okta, change: func(c *Config) { c.Issuer = " " }, want: []string{"issuer"}},
		"http": {base: okta, change: func(c *Config) {
			c.Issuer = "http://acme.okta.com"
		}, want: []string{"issuer"}},
		"http, like loopback": {base: okta, change: func(c *Config) {
			c.Issuer = "http://localhost.evil.example"
		}, want: []string{"issuer"}},
		"query": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme.okta.com?x=1"
		}, want: []string{"issuer"}},
		"empty query": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme.okta.com?"
		}, want: []string{"issuer"}},
		"fragment": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme.okta.com#x"
		}, want: []string{"issuer"}},
		"user": {base: okta, change: func(c *Config) {
			c.Issuer = "https://good@evil.example"
		}, want: []string{"issuer"}},
		"no scheme": {base: okta, change: func(c *Config) {
			c.Issuer = "acme.okta.com"
		}, want: []string{"issuer"}},
		"the document's address": {base: Config{
			Name: "o", Type: TypeOIDC, ClientID: "x",
			Issuer: "https://a.example/.well-known/openid-configuration",
		}, want: []string{"issuer"}},
		"okta's admin console": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme-admin.okta.com"
		}, want: []string{"issuer"}},
		"okta's endpoint": {base: okta, change: func(c *Config) {
			c.Issuer = "https://acme.okta.com/oauth2/default/v1"
		}, want: []string{"issuer"}},
		"a key": {base: okta, change: func(c *Config) { c.PrivateKeyFile, c.KeyID = ecKey, "k" }},
		"requests shaped": {base: entra, change: func(c *Config) {
			c.ACRValues, c.Prompt, c.MaxAge, c.DomainHint, c.ExtraParameters = []string{"phr"}, "login",
				time.Hour, "acme.example", map[string]string{"claims": `{"id_token":{}}`}
		}},
		"an API": {base: custom, change: func(c *Config) {
			c.API = API{
				Audiences:     []string{"api://default"},
				Issuers:       []string{"https://acme.okta.com/oauth2/aus1simAs6Df3Gh8J5d7"},
				RequiredScope: "vexa", RequiredRole: "sync", Clients: []string{"0oa9simSvc2Qw4Er6t8y"},
			}
		}},
		"an API of another server than sign-in": {base: okta, change: func(c *Config) {
			c.API = API{
				Audiences: []string{"api://default"},
				Issuers:   []string{"https://acme.okta.com/oauth2/default"},
			}
		}},
		"an API at Entra": {base: entra, change: func(c *Config) {
			c.API = API{
				Audiences: []string{"api://" + tenantB, c.ClientID}, RequiredRole: "Bridge.Sync",
				Clients: []string{tenantB},
			}
			c.API.Issuers = []string{"https://sts.cloud.example/{tenantid}/", "https://sts.cloud.example/" +
				strings.ToUpper(tenantA) + "/"}
		}},
		"certificate and key apart": {base: entra, change: func(c *Config) {
			c.CertificateFile, c.PrivateKeyFile = certificate, rsaKey
		}},
		"certificate and key together": {base: entra, change: func(c *Config) { c.CertificateFile = both }},
		"a federated token": {base: entra, change: func(c *Config) {
			c.FederatedTokenFile = federated
		}},

		"secret and key": {base: okta, change: func(c *Config) {
			c.ClientSecret, c.PrivateKeyFile = "a", ecKey
		}, want: []string{"private_key_file"}},
		"secret and token": {base: entra, change: func(c *Config) {
			c.ClientSecret, c.FederatedTokenFile = "a", federated
		}, want: []string{"federated_token_file"}},
		"everything": {base: entra, change: func(c *Config) {
			c.ClientSecrets, c.CertificateFile, c.FederatedTokenFile = []string{"a"}, both, federated
		}, want: []string{"certificate_file", "federated_token_file"}},
		"key missing": {base: okta, change: func(c *Config) {
			c.PrivateKeyFile = "/does/not/exist"
		}, want: []string{"private_key_file"}},
		"key not PEM": {base: okta, change: func(c *Config) {
			c.PrivateKeyFile = notPEM
		}, want: []string{"private_key_file"}},
		"key too short": {base: okta, change: func(c *Config) {
			c.PrivateKeyFile = weak
		}, want: []string{"private_key_file"}},
		"a folder for a key": {base: okta, change: func(c *Config) {
			c.PrivateKeyFile = filepath.Dir(weak)
		}, want: []string{"private_key_file"}},
		"kid without key": {base: okta, change: func(c *Config) { c.KeyID = "k" }, want: []string{"key_id"}},
		"key without certificate": {base: entra, change: func(c *Config) {
			c.PrivateKeyFile = rsaKey
		}, want: []string{"certificate_file"}},
		"certificate without key": {base: entra, change: func(c *Config) {
			c.CertificateFile = certificate
		}, want: []string{"certificate_file"}},
		"certificate of another key": {base: entra, change: func(c *Config) {
			c.CertificateFile, c.PrivateKeyFile = certificate, otherKey
		}, want: []string{"certificate_file"}},
		"certificate at okta": {base: okta, change: func(c *Config) {
			c.CertificateFile = both
		}, want: []string{"certificate_file"}},
		"federated token at okta": {base: okta, change: func(c *Config) {
			c.FederatedTokenFile = federated
		}, want: []string{"federated_token_file"}},
		"federated token, not one": {base: entra, change: func(c *Config) {
			c.FederatedTokenFile = notPEM
		}, want: []string{"federated_token_file"}},
		"prompt none": {base: okta, change: func(c *Config) { c.Prompt = "none" }, want: []string{"prompt"}},
		"max_age below a second": {base: okta, change: func(c *Config) {
			c.MaxAge = time.Millisecond
		}, want: []string{"max_age"}},
		"two acr in one": {base: okta, change: func(c *Config) {
			c.ACRValues = []string{"a b"}
		}, want: []string{"acr_values[0]"}},
		"domain_hint at okta": {base: okta, change: func(c *Config) {
			c.DomainHint = "acme.example"
		}, want: []string{"domain_hint"}},
		"scope without audience": {base: okta, change: func(c *Config) {
			c.API.RequiredScope = "a"
		}, want: []string{"api.audiences"}},
		"conditions without audience": {base: custom, change: func(c *Config) {
			c.API = API{
				Issuers: []string{"https://acme.okta.com/oauth2/default"}, RequiredRole: "a",
				Clients: []string{"b"},
			}
		}, want: []string{"api.audiences"}},
		"role without audience": {base: custom, change: func(c *Config) {
			c.API.RequiredRole = "a"
		}, want: []string{"api.audiences"}},
		"clients without audience": {base: custom, change: func(c *Config) {
			c.API.Clients = []string{"a"}
		}, want: []string{"api.audiences"}},
		"blank audience": {base: custom, change: func(c *Config) {
			c.API.Audiences = []string{""}
		}, want: []string{"api.audiences[0]"}}, // S11 E5
		"any audience": {base: custom, change: func(c *Config) {
			c.API.Audiences = []string{"*"}
		}, want: []string{"api.audiences[0]"}}, // S11
		"audience of white space": {base: custom, change: func(c *Config) {
			c.API.Audiences = []string{"a", " "}
		}, want: []string{"api.audiences[1]"}}, // S11 E5
		"blank scope": {base: custom, change: api(func(a *API) {
			a.RequiredScope = " "
		}), want: []string{"api.required_scope"}}, // S11 E5
		"blank role": {base: custom, change: api(func(a *API) {
			a.RequiredRole = " "
		}), want: []string{"api.required_role"}}, // S11 E5
		"blank client": {base: custom, change: api(func(a *API) {
			a.Clients = []string{"a", ""}
		}), want: []string{"api.clients[1]"}}, // S11 E5
		"no client": {base: custom, change: api(func(a *API) {
			a.Clients = []string{}
		}), want: []string{"api.clients"}}, // S11 E5
		"blank issuer": {base: custom, change: api(func(a *API) {
			a.Issuers = []string{" "}
		}), want: []string{"api.issuers[0]"}}, // S11 E5
		"client of another shape": {base: entra, change: api(func(a *API) {
			a.Clients = []string{"Postman"}
		}), want: []string{"api.clients[0]"}},
		"the org's tokens": {base: okta, change: api(func(*API) {}), want: []string{"api.issuers"}}, // S11
		"the org beside a server": {base: custom, change: api(func(a *API) {
			a.Issuers = []string{"https://acme.okta.com"}
		}), want: []string{"api.issuers[0]"}},
		"another org's server": {base: custom, change: api(func(a *API) {
			a.Issuers = []string{"https://evil.okta.com/oauth2/default"}
		}), want: []string{"api.issuers[0]"}},
		"a server by http": {base: custom, change: api(func(a *API) {
			a.Issuers = []string{"http://acme.okta.com/oauth2/default"}
		}), want: []string{"api.issuers[0]"}},
		"a server with a query": {base: custom, change: api(func(a *API) {
			a.Issuers = []string{"https://acme.okta.com/oauth2/default?x"}
		}), want: []string{"api.issuers[0]"}},
		"ID tokens as access tokens": {base: custom, change: func(c *Config) {
			c.API.Audiences = []string{c.ClientID}
		}, want: []string{"api.audiences[0]"}},
		"Graph's tokens": {base: entra, change: func(c *Config) {
			c.API.Audiences = []string{"https://graph.microsoft.com/", graphApplication}
		}, want: []string{"api.audiences[0]", "api.audiences[1]"}},
		"another tenant's issuer": {base: entra, change: api(func(a *API) {
			a.Issuers = []string{"https://sts.windows.net/" + tenantB + "/"}
		}), want: []string{"api.issuers[0]"}},
		"any tenant's issuer": {base: entra, change: api(func(a *API) {
			a.Issuers = []string{"https://sts.windows.net/organizations/"}
		}), want: []string{"api.issuers[0]"}},
		"a second issuer": {
			base:   Config{Name: "o", Type: TypeOIDC, ClientID: "x", Issuer: "https://a.example"},
			change: api(func(a *API) { a.Issuers = []string{"https://b.example"} }),
			want:   []string{"api.issuers[0]"},
		},
		"a parameter of ours": {base: okta, change: func(c *Config) {
			c.ExtraParameters = map[string]string{"Redirect_URI": "https://evil.example"}
		}, want: []string{"extra_parameters.Redirect_URI"}},
		"a parameter with a setting": {base: okta, change: func(c *Config) {
			c.ExtraParameters = map[string]string{"prompt": "none"}
		}, want: []string{"extra_parameters.prompt"}},
		"a parameter with a line": {base: okta, change: func(c *Config) {
			c.ExtraParameters = map[string]string{"x": "a\nb"}
		}, want: []string{"extra_parameters.x"}},

		"both secrets": {base: okta, change: func(c *Config) {
			c.ClientSecret, c.ClientSecrets = "a", []string{"b"}
		}, want: []string{"client_secrets"}},
		"three secrets": {base: okta, change: func(c *Config) {
			c.ClientSecrets = []string{"a", "b", "c"}
		}, want: []string{"client_secrets"}},
		"blank secret": {base: okta, change: func(c *Config) {
			c.ClientSecrets = []string{"a", " "}
		}, want: []string{"client_secrets[1]"}},
		"secret of white space": {
			base: okta, change: func(c *Config) { c.ClientSecret = " " }, want: []string{"client_secret"},
		},
		"secret with a line break": {base: okta, change: func(c *Config) {
			c.ClientSecret = "a\n"
		}, want: []string{"client_secret"}},
		"two scopes in one": {base: okta, change: func(c *Config) {
			c.Scopes = []string{"groups", "a b", ""}
		}, want: []string{"scopes[1]", "scopes[2]"}},
		"trusted domains blank": {base: okta, change: func(c *Config) {
			c.TrustedDomains = []string{" "}
		}, want: []string{"trusted_domains[0]"}}, // E5
		"trusted domains partly blank": {base: okta, change: func(c *Config) {
			c.TrustedDomains = []string{"acme.example", ""}
		}, want: []string{"trusted_domains[1]"}}, // E5
		"trusted domain with a star": {base: okta, change: func(c *Config) {
			c.TrustedDomains = []string{"*.acme.example"}
		}, want: []string{"trusted_domains[0]"}},
		"trusted domain with a dot": {base: okta, change: func(c *Config) {
			c.TrustedDomains = []string{".acme.example"}
		}, want: []string{"trusted_domains[0]"}},
		"response mode": {base: okta, change: func(c *Config) {
			c.ResponseMode = "fragment"
		}, want: []string{"response_mode"}},
		"CA missing": {base: okta, change: func(c *Config) {
			c.CAFile = "/does/not/exist"
		}, want: []string{"ca_file"}},
		"CA not PEM": {base: okta, change: func(c *Config) { c.CAFile = notPEM }, want: []string{"ca_file"}},
		"proxy": {base: okta, change: func(c *Config) {
			c.ProxyURL = "proxy.example:3128"
		}, want: []string{"proxy_url"}},
		"proxy, odd scheme": {base: okta, change: func(c *Config) {
			c.ProxyURL = "ftp://proxy.example"
		}, want: []string{"proxy_url"}},
		"timeout below": {base: okta, change: func(c *Config) { c.Timeout = -1 }, want: []string{"timeout"}},
		"timeout above": {
			base: okta, change: func(c *Config) { c.Timeout = time.Hour }, want: []string{"timeout"},
		},
		"entra's settings": {base: okta, change: func(c *Config) {
			c.Tenant, c.Cloud, c.Guests, c.AllowedTenants = "x", "public", "deny", []string{tenantA}
		}, want: []string{"tenant", "allowed_tenants", "cloud", "guests"}},

		"many tenants without a list": {base: entra, change: func(c *Config) {
			c.Tenant = "organizations"
		}, want: []string{"allowed_tenants"}},
		"many tenants, blank list": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants = "organizations", []string{""}
		}, want: []string{"allowed_tenants[0]"}}, // E5
		"common": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants = "Common", []string{tenantA}
		}, want: []string{"tenant"}},
		"consumers": {base: entra, change: func(c *Config) {
			c.Tenant = "consumers"
		}, want: []string{"tenant"}},
		"consumers by id": {base: entra, change: func(c *Config) {
			c.Tenant = consumerTenant
		}, want: []string{"tenant"}},
		"consumers listed": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants = "organizations", []string{tenantA, consumerTenant}
		}, want: []string{"allowed_tenants[1]"}},
		"no tenant": {base: entra, change: func(c *Config) { c.Tenant = "" }, want: []string{"tenant"}},
		"a domain as tenant": {base: entra, change: func(c *Config) {
			c.Tenant = "nwsim.onmicrosoft.com"
		}, want: []string{"tenant"}},
		"tenant with a line break": {base: entra, change: func(c *Config) {
			c.Tenant = tenantA + "\nx"
		}, want: []string{"tenant"}},
		"one tenant, others listed": {base: entra, change: func(c *Config) {
			c.AllowedTenants = []string{tenantB}
		}, want: []string{"allowed_tenants"}},
		"many tenants, trusted domains": {base: entra, change: func(c *Config) {
			c.Tenant, c.AllowedTenants, c.TrustedDomains = "organizations", []string{tenantA, tenantB},
				[]string{"acme.example"}
		}, want: []string{"trusted_domains"}}, // E1
		"cloud": {base: entra, change: func(c *Config) { c.Cloud = "germany" }, want: []string{"cloud"}},
		"cloud by http": {base: entra, change: func(c *Config) {
			c.Cloud = "http://login.evil.example"
		}, want: []string{"cloud"}},
		"guests": {base: entra, change: func(c *Config) { c.Guests = "maybe" }, want: []string{"guests"}},
		"issuer": {base: entra, change: func(c *Config) {
			c.Issuer = "https://sts.windows.net/x/"
		}, want: []string{"issuer"}},
		"several at once": {base: entra, change: func(c *Config) {
			c.Name, c.ClientID, c.Tenant, c.Guests = "", "", "common", "x"
		}, want: []string{"name", "client_id", "guests", "tenant"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := test.base
			if test.change != nil {
				test.change(&cfg)
			}
			var got []string
			for _, p := range cfg.Check() {
				got = append(got, p.Key)
				if p.Message == "" || p.Remedy == "" {
					t.Errorf("%+v lacks words", p)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("problems with %q, want %q", got, test.want)
			}
			cfg.RedirectURL = redirectURL
			p, err := New(cfg, Env{})
			if (err == nil) != (test.want == nil) {
				t.Errorf("New: %v", err)
			}
			for _, key := range test.want {
				if !strings.Contains(err.Error(), key) {
					t.Errorf("the error %q does not name %s", err, key)
				}
			}
			if p != nil {
				p.Close()
			}
		})
	}
}

// S2: what is wrong with a secret is said without it.
func TestCheckKeepsSecrets(t *testing.T) {
	t.Parallel()
	cfg := Config{
		ClientSecret: " canary", ClientSecrets: []string{"canary ", "canary", "canary"},
		ProxyURL: "http://user:canary@%zz",
	}
	_, err := New(cfg, Env{})
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestRedirectURLMustBeAbsolute(t *testing.T) {
	t.Parallel()
	for _, redirect := range []string{"", "/sso/callback/okta", "127.0.0.1:4180/x"} {
		if _, err := New(Config{
			Name: "okta", Type: TypeOkta, Issuer: "https://acme.okta.com", ClientID: "x",
			RedirectURL: redirect,
		}, Env{}); err == nil {
			t.Errorf("%q is taken", redirect)
		}
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{Name: "okta", Type: TypeOkta}, "Okta"},
		{Config{Name: "entra", Type: TypeEntra}, "Microsoft"},
		{Config{Name: "acme", Type: TypeOkta}, "Acme (Okta)"},
		{Config{Name: "acme-staff_eu", Type: TypeEntra}, "Acme Staff Eu (Microsoft)"},
		{Config{Name: "keycloak", Type: TypeOIDC}, "Keycloak"},
		{Config{Name: "oidc", Type: TypeOIDC}, "Single sign-on"},
		{Config{Name: "okta-eu", Type: TypeOkta}, "Okta Eu"},
		{Config{Name: "__", Type: TypeOIDC}, "Single sign-on"},
		{Config{Name: "okta", Type: TypeOkta, Title: "Our Okta"}, "Our Okta"},
	} {
		if got := test.cfg.title(); got != test.want {
			t.Errorf("%s: %q, want %q", test.cfg.Name, got, test.want)
		}
	}
}

func TestZeroEnv(t *testing.T) {
	t.Parallel()
	p, err := New(Config{
		Name: "okta", Type: TypeOkta, Issuer: "http://127.0.0.1:1", ClientID: "x", RedirectURL: redirectURL,
	}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	refused(t, p.Ping(context.Background()), CodeProviderUnavailable)
	if p.Name() != "okta" || p.Title() != "Okta" || p.Type() != TypeOkta ||
		p.Issuer() != "http://127.0.0.1:1" {
		t.Errorf("%q %q %q %q", p.Name(), p.Title(), p.Type(), p.Issuer())
	}
}
