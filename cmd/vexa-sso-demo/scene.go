package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// scene is what the bridge of the demo works with: provider and Vexa.
type scene struct {
	options
	dir    string
	public string // of the bridge
	idp    string // base URL of the identity provider

	oktaSecret, entraSecret, jobSecret string
	provider                           *http.Server

	simulated             *vexatest.Server // nil with a real Vexa
	gateway, admin, token string
}

// job is the client_id of a program that acts for itself (client credentials).
const job = "0oademonightlyjob001"

// startProviders starts the identity provider: Okta and Entra ID on one listener, with the same people.
func (s *scene) startProviders() error {
	on, err := net.Listen("tcp", s.idpListen)
	if err != nil {
		return fmt.Errorf("listen for the identity provider: %w", err)
	}
	s.idp = "http://" + s.idpListen
	s.oktaSecret, s.entraSecret, s.jobSecret = rand.Text(), rand.Text(), rand.Text()

	okta, err := oidctest.NewOkta(oidctest.OktaOptions{BaseURL: s.idp + "/okta", AutoSignIn: true, SID: true})
	if err != nil {
		return err
	}
	okta.AddCast()
	okta.AddClient(oidctest.Client{
		ID: "0oademovexasso000001", Name: "Vexa", Secrets: []string{s.oktaSecret}, RequirePKCE: true,
		RedirectURIs:   []string{s.public + "/sso/callback/okta"},
		PostLogoutURIs: []string{s.public + "/sso/signed-out"},
	})
	okta.AddClient(oidctest.Client{
		ID: job, Name: "Nightly job", Secrets: []string{s.jobSecret},
		GrantTypes: []string{oidctest.GrantClientCredentials}, ServiceScopes: []string{"vexa"},
	})
	entra, err := oidctest.NewEntra(oidctest.EntraOptions{BaseURL: s.idp + "/entra", AutoSignIn: true})
	if err != nil {
		return err
	}
	entra.AddCast()
	entra.AddClient(oidctest.Client{
		ID: "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91", Name: "Vexa",
		Secrets: []string{s.entraSecret}, Tenant: oidctest.TenantA,
		RedirectURIs: []string{s.public + "/sso/callback/entra", s.public + "/sso/signed-out"},
	})
	mux := http.NewServeMux()
	mux.Handle("/okta/", okta)
	mux.Handle("/entra/", entra)
	s.provider = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go s.provider.Serve(on)
	return nil
}

func (s *scene) stopProviders() { s.provider.Close() }

// startVexa starts the simulated Vexa, or uses the real one that was named.
func (s *scene) startVexa() error {
	if s.options.gateway != "" {
		token, err := os.ReadFile(s.tokenFile)
		if err != nil {
			return fmt.Errorf("read the admin token: %w", err)
		}
		s.gateway, s.admin, s.token = s.options.gateway, s.options.admin, strings.TrimSpace(string(token))
		return nil
	}
	s.token = rand.Text()
	s.simulated = vexatest.New(vexatest.Config{Generation: s.generation, AdminToken: s.token})
	if err := s.simulated.Listen("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the simulated Vexa: %w", err)
	}
	s.gateway, s.admin = s.simulated.GatewayURL, s.simulated.AdminURL
	return nil
}

func (s *scene) stopVexa() {
	if s.simulated != nil {
		s.simulated.Close()
	}
}

// welcome prints what to open, who can sign in as whom, and how to do it without a browser. Its last line is
// for scripts.
func (s *scene) welcome(w io.Writer) {
	vexa := "simulated Vexa " + s.generation
	if s.simulated == nil {
		vexa = "Vexa at " + s.gateway
	}
	fmt.Fprintf(w, `
The bridge is at %[1]s/, in front of a %[2]s.
The identity provider (Okta and Entra ID) is at %[3]s.

Open  %[1]s/  and sign in, through either provider, as

  ada@acme.example       staff: may send bots and read (bot, tx)
  grace@acme.example     an administrator
  tim@acme.example       may only read (tx)
  mallory@acme.example   a colleague whom no rule lets in
  guest@partner.example  a guest of another company

Or without a browser:

  jar=$(mktemp)
  at=$(curl -s -c $jar -o /dev/null -w '%%{redirect_url}' '%[1]s/sso/login?provider=okta&login_hint=ada@acme.example')
  curl -sL -b $jar -c $jar -o /dev/null "$at&demo_auto=1"
  curl -s -b $jar %[1]s/sso/whoami
  curl -s -b $jar %[1]s/meetings

Programs send a token where they sent a Vexa key. Make one at  %[1]s/sso/tokens ,
or sign in from a terminal:

  curl -s -H 'X-API-Key: vsso_...' %[1]s/meetings
  go run ./cmd/vexa-sso login %[1]s
  go run ./cmd/vexa-sso curl /meetings

A program of its own sends an access token of the provider's:

  token=$(curl -s -u %[4]s:%[5]s -d grant_type=client_credentials -d scope=vexa %[3]s/okta/oauth2/default/v1/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s -H "Authorization: Bearer $token" %[1]s/meetings

Ctrl-C stops everything.
ready %[1]s/
`, s.public, vexa, s.idp, job, s.jobSecret)
}
