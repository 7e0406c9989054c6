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
	"vexa-sso/proxy/proxytest"
)

// configuration is that of an independent client, from nothing but the metadata.
func (w *world) configuration() *oauth2.Config {
	w.T.Helper()
	var m struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Device    string `json:"device_authorization_endpoint"`
	}
	b := w.program()
	a := b.send("GET", authserver.MetadataPath, "")
	proxytest.Must(w.T, json.Unmarshal([]byte(a.Body), &m))
	return &oauth2.Config{ClientID: authserver.CommandLine, RedirectURL: loopback, Endpoint: oauth2.Endpoint{
		AuthURL: m.Authorize, TokenURL: m.Token, DeviceAuthURL: m.Device, AuthStyle: oauth2.AuthStyleInParams,
	}}
}

func (w *world) context() context.Context {
	return context.WithValue(w.T.Context(), oauth2.HTTPClient, w.Client(nil))
}

// The whole road with an independent client: metadata, sign-in, consent, code, token, use, refresh.
func TestIndependentClient(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		config, ctx, b := w.configuration(), w.context(), w.browser()
		config.Scopes = []string{"tx"}
		verifier := oauth2.GenerateVerifier()
		asked, err := url.Parse(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
		proxytest.Must(t, err)

		ticket := b.openAs(ada, asked.RequestURI()).ticket(t)
		back := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}}).
			leads(t).Query()
		if back.Get("state") != "state" || back.Get("iss") != w.Public+"/sso/oauth" {
			t.Errorf("came back with %v", back)
		}
		token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
		proxytest.Must(t, err)
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
		proxytest.Must(t, err)
		if renewed.AccessToken == token.AccessToken || renewed.RefreshToken == token.RefreshToken ||
			!w.works(renewed.AccessToken) {
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
		proxytest.Must(t, err)
		complete, err := url.Parse(device.VerificationURIComplete)
		proxytest.Must(t, err)
		if device.VerificationURI != w.Public+"/sso/device" || device.Interval != 5 ||
			complete.Query().Get("user_code") != device.UserCode {
			t.Errorf("told %+v", device)
		}
		b.allowDevice(ada, complete.RequestURI(), device.UserCode)
		device.Interval = 1 // the client waits that long before it asks at all
		token, err := config.DeviceAccessToken(ctx, device)
		proxytest.Must(t, err)
		if token.Extra("scope") != "bot tx" || !w.works(token.AccessToken) {
			t.Errorf("got %v with scope %v", token, token.Extra("scope"))
		}
	})
}

// allowDevice has a person enter a code and agree.
func (b *browser) allowDevice(who, path, code string) {
	b.w.T.Helper()
	if a := b.openAs(who, path); a.Status != http.StatusOK {
		b.w.T.Fatalf("the device page: %d %s", a.Status, a.Body)
	}
	ticket := b.submit("/sso/device", url.Values{"user_code": {code}}).ticket(b.w.T)
	if a := b.submit(
		"/sso/device", url.Values{"ticket": {ticket}, "decision": {"allow"}},
	); a.Status != http.StatusOK {
		b.w.T.Fatalf("the answer: %d %s", a.Status, a.Body)
	}
}
