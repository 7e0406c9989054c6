package oidc

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

const grantRefresh = "refresh_token"

// Refresh uses a refresh token to ask the provider again about somebody who is signed in (RFC 6749, section
// 6; OpenID Connect Core 1.0, section 12). It returns who they are now, and in RefreshToken the token to keep
// from now on, the same one where the provider does not rotate: it has to be stored before anything else is
// done, because the one before may no longer work. IDToken is empty when the provider gave none; the one from
// before is still good for EndSession.
//
// What goes wrong after the token was used, at userinfo for example, comes with a SignIn that has a
// RefreshToken and nothing else.
//
// Every error is an *Error, and its Outcome says what ends by it. CodeAccessEnded says that the provider no
// longer vouches for the person; CodeGrantOver that this refresh token is dead; CodeLoginRequired that the
// provider would vouch again after another sign-in; CodeProviderUnavailable that nobody knows; all others
// that the settings are at fault here or there.
func (p *Provider) Refresh(ctx context.Context, refreshToken string, was Identity) (*SignIn, error) {
	signIn, err := p.refresh(ctx, refreshToken, was)
	if err != nil {
		return signIn, err
	}
	return signIn, nil
}

func (p *Provider) refresh(ctx context.Context, refreshToken string, was Identity) (*SignIn, *Error) {
	doc, err := p.discovery.get(ctx)
	if err != nil {
		return nil, unreachable("reading the discovery document", err)
	}
	grant := url.Values{"grant_type": {grantRefresh}, "refresh_token": {refreshToken}}
	if scopes := p.dialect.refreshScopes(p.scopes(doc)); len(scopes) > 0 {
		grant.Set("scope", strings.Join(scopes, " "))
	}
	token, refusal := p.redeem(ctx, doc, grant)
	if refusal != nil {
		return nil, refusal
	}
	signIn, refusal := p.renewed(ctx, doc, token, was)
	if refusal != nil {
		return &SignIn{RefreshToken: token.RefreshToken}, refusal
	}
	return signIn, nil
}

// renewed makes the sign-in of the token endpoint's answer to a refresh, which must be about the same person.
func (p *Provider) renewed(
	ctx context.Context, doc *document, token *oauth2.Token, was Identity,
) (*SignIn, *Error) {
	raw, _ := token.Extra("id_token").(string)
	c, more, refusal := p.renewedClaims(ctx, doc, raw, token, was)
	if refusal != nil {
		return nil, ended(refusal)
	}
	identity, refusal := p.resolve(ctx, doc, c)
	if refusal != nil {
		return nil, refusal
	}
	if identity.Provider != was.Provider || identity.Subject != was.Subject {
		return nil, invalid("Many of these may be an attack: a refresh token is of one person for good.",
			errors.New("the refreshed token is about another person than the sign-in"))
	}
	if identity.SID == "" {
		identity.SID = was.SID
	}
	identity = identity.withholds(p.unsaid(c, was, more != nil))
	if identity.ByUserinfo = more; more == nil {
		identity.ByUserinfo = was.ByUserinfo
	}
	return &SignIn{
		Identity:     identity,
		IDToken:      raw,
		RefreshToken: token.RefreshToken,
		LogoutHint:   p.dialect.logoutHint(c),
		AuthTime:     c.instant("auth_time"),
	}, nil
}

// ended turns a refusal of ours into CodeAccessEnded for somebody who was signed in: one who became a guest,
// or whose tenant was taken off allowed_tenants.
func ended(refusal *Error) *Error {
	if refusal.Code != CodeGuestRefused && refusal.Code != CodeTenantRefused {
		return refusal
	}
	e := *refusal
	e.Code = CodeAccessEnded
	return &e
}

// renewedClaims are those of the new ID token, completed; or, where the provider gives none at a refresh,
// userinfo's, with what the sign-in's ID token said about itself.
func (p *Provider) renewedClaims(
	ctx context.Context, doc *document, raw string, token *oauth2.Token, was Identity,
) (all claims, more []string, refusal *Error) {
	if raw != "" {
		c, err := p.verifyIDToken(ctx, doc, raw, expected{renewed: true, accessToken: token.AccessToken})
		if err != nil {
			return nil, nil, err
		}
		for _, name := range aboutSignIn {
			if !c.has(name) {
				copyClaims(c, was.Claims, name)
			}
		}
		return p.complete(ctx, doc, c, token, was.ByUserinfo)
	}
	if !p.dialect.userinfo() || doc.UserInfoURL == "" {
		return nil, nil, misconfigured(
			"The provider gave no ID token at a refresh: allow the scope openid to the application.",
			errors.New("the token endpoint's answer to a refresh has no id_token, and there is no "+
				"userinfo endpoint"),
		)
	}
	info, err := p.userinfo(ctx, doc.UserInfoURL, token)
	if err != nil {
		return nil, nil, err
	}
	before := claims(was.Claims)
	if info.text("sub") == "" || info.text("sub") != before.text("sub") {
		return nil, nil, invalid("Many of these may be an attack: a refresh token is of one person for good.",
			errors.New("userinfo after a refresh is about another sub than the sign-in"))
	}
	about := claims{}
	copyClaims(about, before, aboutSignIn...)
	all = merged(about, info)
	return all, told(all, about), nil
}

// aboutSignIn are the claims that a sign-in keeps for as long as it is renewed.
var aboutSignIn = []string{"iss", "sub", "aud", "auth_time", "acr", "amr", "sid", "ver", "idp", "azp"}
