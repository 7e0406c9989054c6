package authserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"vexa-sso/proxy/authserver"
)

// configuration is that of an independent client, from nothing but the metadata.
func (w *world) configuration() *oauth2.Config {
	w.t.Helper()
	var m struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Device    string `json:"device_authorization_endpoint"`
	}
	b := &browser{w.client(nil), w}
	a := b.send("GET", authserver.MetadataPath, "")
	must(w.t, json.Unmarshal([]byte(a.body), &m))
	return &oauth2.Config{
		ClientID: authserver.CommandLine, RedirectURL: loopback,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorize, TokenURL: m.Token, DeviceAuthURL: m.Device, AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (w *world) context() context.Context {
	return context.WithValue(w.t.Context(), oauth2.HTTPClient, w.client(nil))
}

// The whole road with an independent client: metadata, sign-in, consent, code, token, use, refresh.
func TestIndependentClient(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		config, ctx, b := w.configuration(), w.context(), w.browser()
		config.Scopes = []string{"tx"}
		verifier := oauth2.GenerateVerifier()
		asked, err := url.Parse(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
		must(t, err)

		ticket := b.openAs(ada, asked.RequestURI()).ticket(t)
		back := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}}).leads(t).Query()
		if back.Get("state") != "state" || back.Get("iss") != w.public+"/sso/oauth" {
			t.Errorf("came back with %v", back)
		}
		token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
		must(t, err)
		if token.TokenType != "Bearer" || token.Extra("scope") != "tx" || token.RefreshToken == "" {
			t.Errorf("got %v with scope %v", token, token.Extra("scope"))
		}
		if left := time.Until(token.Expiry); left < 50*time.Minute || left > time.Hour {
			t.Errorf("lives for %s", left)
		}
		if !w.works(token.AccessToken) {
			t.Error("the access token opens nothing")
		}

		token.Expiry = time.Now().Add(-time.Minute)
		renewed, err := config.TokenSource(ctx, token).Token()
		must(t, err)
		if renewed.AccessToken == token.AccessToken || renewed.RefreshToken == token.RefreshToken || !w.works(renewed.AccessToken) {
			t.Errorf("renewed to %v", renewed)
		}
	})
}

// The same without a browser of the program's own.
func TestIndependentDevice(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		config, ctx, b := w.configuration(), w.context(), w.browser()
		config.Scopes = []string{"bot", "tx"}
		device, err := config.DeviceAuth(ctx)
		must(t, err)
		complete, err := url.Parse(device.VerificationURIComplete)
		must(t, err)
		if device.VerificationURI != w.public+"/sso/device" || device.Interval != 5 || complete.Query().Get("user_code") != device.UserCode {
			t.Errorf("told %+v", device)
		}
		b.allowDevice(ada, complete.RequestURI(), device.UserCode)
		device.Interval = 1 // the client waits that long before it asks at all
		token, err := config.DeviceAccessToken(ctx, device)
		must(t, err)
		if token.Extra("scope") != "bot tx" || !w.works(token.AccessToken) {
			t.Errorf("got %v with scope %v", token, token.Extra("scope"))
		}
	})
}

// allowDevice has a person enter a code and agree.
func (b *browser) allowDevice(who, path, code string) {
	b.w.t.Helper()
	if a := b.openAs(who, path); a.status != http.StatusOK {
		b.w.t.Fatalf("the device page: %d %s", a.status, a.body)
	}
	ticket := b.submit("/sso/device", url.Values{"user_code": {code}}).ticket(b.w.t)
	if a := b.submit("/sso/device", url.Values{"ticket": {ticket}, "decision": {"allow"}}); a.status != http.StatusOK {
		b.w.t.Fatalf("the answer: %d %s", a.status, a.body)
	}
}
