package oidc_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// Somebody signs in: Begin says where to send the browser, the provider sends it back with a callback, and
// Finish says who it is. The provider here is oidctest's Okta, and its browser presses Ada's button.
func Example() {
	ctx := context.Background()

	// A provider to sign in at. In life it is an Okta org; issuer and client ID come from its admin console.
	var org *oidctest.Okta
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		org.ServeHTTP(w, r)
	}))
	defer server.Close()
	org, err := oidctest.NewOkta(oidctest.OktaOptions{BaseURL: server.URL})
	if err != nil {
		log.Fatal(err)
	}
	org.AddCast()
	const redirectURL = "http://127.0.0.1:4180/sso/callback/okta"
	registered := org.AddClient(oidctest.Client{
		Secrets: []string{"a-client-secret"}, RedirectURIs: []string{redirectURL},
	})

	p, err := oidc.New(oidc.Config{
		Name: "okta", Type: oidc.TypeOkta, Issuer: org.Issuer(), RedirectURL: redirectURL,
		ClientID: registered.ID, ClientSecret: "a-client-secret",
		Scopes: []string{"groups"}, TrustedDomains: []string{"acme.example"},
	}, oidc.Env{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	// The browser goes to redirect. The attempt belongs, sealed, into a cookie of that browser.
	redirect, attempt, err := p.Begin(ctx, oidc.BeginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	back, err := org.SignIn(ctx, redirect, oidctest.Ada)
	if err != nil {
		log.Fatal(err)
	}

	// The browser comes back to the redirect URL with parameters, which nobody has to believe yet.
	signIn, err := p.Finish(ctx, attempt, back.Params)
	if err != nil {
		log.Fatal(err) // an *oidc.Error
	}
	who := signIn.Identity
	fmt.Println("subject:", strings.Replace(who.Subject, server.URL, "https://acme.okta.com", 1))
	fmt.Println("kind:   ", who.Kind)
	fmt.Println("name:   ", who.Name)
	fmt.Println("email:  ", who.Email)
	fmt.Println("groups: ", who.Groups)
	// Output:
	// subject: okta:https://acme.okta.com/00uGO4AQrqaz5540tXrW
	// kind:    user
	// name:    Ada Byron
	// email:   ada@acme.example
	// groups:  [vexa-users]
}
