package oidc_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// write replaces a file's content with PEM blocks.
func write(t *testing.T, name string, blocks ...*pem.Block) {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	must(t, os.WriteFile(name, text, 0o600))
}

func privateBlock(t *testing.T, key *oidctest.Key) *pem.Block {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key.Private)
	must(t, err)
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
}

// keyClient is the relying party without a secret.
func keyClient() oidctest.Client {
	c := client()
	c.Secrets = nil
	return c
}

func keyProvider(t *testing.T, cfg oidc.Config) *oidc.Provider {
	t.Helper()
	cfg.Name, cfg.ClientID, cfg.RedirectURL = "sim", client().ID, callback
	p, err := oidc.New(cfg, oidc.Env{})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// A signed assertion is for the endpoint that is called, good once, and names its key; a replaced key file is
// taken up at the next call, a broken one is not.
func TestPrivateKeyAtOkta(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	first, err := oidctest.NewKey()
	must(t, err)
	second, err := oidctest.NewKey()
	must(t, err)
	c := keyClient()
	c.Keys = []jose.JSONWebKey{first.JWK()}
	double.AddClient(c)
	file := filepath.Join(t.TempDir(), "key.pem")
	write(t, file, privateBlock(t, first))
	p := keyProvider(t, oidc.Config{
		Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}, PrivateKeyFile: file,
	})

	was := signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	if _, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity); err != nil {
		t.Fatalf("refresh: %v", err)
	}
	for _, asked := range double.TokenRequests() {
		if asked.ClientAuth != "private_key_jwt" || asked.Status != http.StatusOK ||
			asked.Form.Has("client_secret") {
			t.Errorf("%s with %s: %d", asked.GrantType, asked.ClientAuth, asked.Status)
		}
	}

	must(t, os.WriteFile(file, []byte("half a fi"), 0o600))
	signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	must(t, double.ChangeClient(c.ID, func(c *oidctest.Client) { c.Keys = []jose.JSONWebKey{second.JWK()} }))
	_, err = signIn(t, p, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
	write(t, file, privateBlock(t, second))
	signedIn(t, p, double.NewBrowser(), oidctest.Ada)
}

// With several keys registered Okta wants to be told which.
func TestKeyIDAtOkta(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	key, err := oidctest.NewKey()
	must(t, err)
	other, err := oidctest.NewKey()
	must(t, err)
	c := keyClient()
	c.Keys = []jose.JSONWebKey{other.JWK(), key.JWK()}
	double.AddClient(c)
	file := filepath.Join(t.TempDir(), "key.pem")
	write(t, file, privateBlock(t, key))
	named := keyProvider(t,
		oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), PrivateKeyFile: file, KeyID: key.ID})
	signedIn(t, named, double.NewBrowser(), oidctest.Ada)
	nameless := keyProvider(t,
		oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), PrivateKeyFile: file})
	_, err = signIn(t, nameless, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
}

// Entra finds the certificate by x5t#S256, signed with PS256; another certificate is refused.
func TestCertificateAtEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	key, certificate, err := oidctest.NewCertificate("vexa-sso", time.Now())
	must(t, err)
	stranger, strangers, err := oidctest.NewCertificate("vexa-sso", time.Now())
	must(t, err)
	c := keyClient()
	c.Certificates = []*x509.Certificate{certificate}
	double.AddClient(c)
	file := filepath.Join(t.TempDir(), "both.pem")
	write(t, file, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}, privateBlock(t, key))
	p := keyProvider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA, CertificateFile: file,
	})
	was := signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	if _, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity); err != nil {
		t.Fatalf("refresh: %v", err)
	}
	for _, asked := range double.TokenRequests() {
		header, claims, err := oidctest.Decode(asked.Form.Get("client_assertion"))
		if err != nil || header["alg"] != "PS256" || header["x5t#S256"] == nil || claims["sub"] != c.ID {
			t.Errorf("the assertion is %v %v %v", header, claims, err)
		}
	}
	write(t, file, privateBlock(t, stranger), &pem.Block{Type: "CERTIFICATE", Bytes: strangers.Raw})
	_, err = signIn(t, p, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
}

// The platform's token is read each time: what was there at the start has long expired.
func TestFederatedTokenAtEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	platform, err := oidctest.NewKey()
	must(t, err)
	c := keyClient()
	c.Federated = []oidctest.FederatedCredential{{
		Issuer: "https://oidc.cluster.example", Subject: "system:serviceaccount:vexa:vexa-sso",
		Keys: []jose.JSONWebKey{platform.JWK()},
	}}
	double.AddClient(c)
	file := filepath.Join(t.TempDir(), "token")
	token := func(subject string, life time.Duration) {
		claims := oidctest.Claims{
			"iss": "https://oidc.cluster.example", "sub": subject,
			"aud": []string{"api://AzureADTokenExchange"},
			"iat": time.Now().Unix(), "exp": time.Now().Add(life).Unix(),
		}
		must(t, os.WriteFile(file, []byte(oidctest.Sign(platform, claims)+"\n"), 0o600))
	}
	token("system:serviceaccount:vexa:vexa-sso", -time.Hour)
	p := keyProvider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA, FederatedTokenFile: file,
	})
	_, err = signIn(t, p, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
	token("system:serviceaccount:vexa:vexa-sso", time.Hour)
	signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	token("system:serviceaccount:vexa:another", time.Hour)
	_, err = signIn(t, p, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
	must(t, os.Remove(file))
	_, err = signIn(t, p, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
}
