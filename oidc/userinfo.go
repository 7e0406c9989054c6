package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"

	"golang.org/x/oauth2"
)

// maxUserinfo bounds the claims that complete an ID token, in bytes.
const maxUserinfo = 256 << 10

// complete fills in, from the userinfo endpoint, what an ID token lacks and we need. Okta's are "thin" when
// they come with an access token. Half an identity is never signed in: what is needed and can't be had is a
// refusal.
//
// expects are claims that userinfo told before. more are those that it told now; nil when it was not asked.
func (p *Provider) complete(
	ctx context.Context, doc *document, c claims, token *oauth2.Token, expects []string,
) (all claims, more []string, refusal *Error) {
	lacks := func(name string) bool { return !c.has(name) }
	if !p.dialect.userinfo() || doc.UserInfoURL == "" ||
		!p.incomplete(c) && !slices.ContainsFunc(expects, lacks) {
		return c, nil, nil
	}
	info, err := p.userinfo(ctx, doc.UserInfoURL, token)
	if err != nil {
		return nil, nil, err
	}
	if info.text("sub") != c.text("sub") {
		return nil, nil, invalid("Many of these may be an attack: userinfo must be about the person of the "+
			"ID token (OpenID Connect Core 1.0, section 5.3.2).",
			errors.New("userinfo is about another sub than the ID token"))
	}
	all = merged(c, info)
	return all, told(all, c), nil
}

// told are the claims of all that the token lacks, sorted; never nil.
func told(all, token claims) []string {
	more := []string{}
	for name := range all {
		if !token.has(name) {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	return more
}

// incomplete says whether the claims lack something that was asked for.
func (p *Provider) incomplete(c claims) bool {
	if !c.has("name") || !c.has("email") {
		return true
	}
	word, pinned := p.dialect.emailWord(c)
	if email := decideEmail(c.text("email"), word, pinned, p.trusted); word == unsaid && email.proven == "" {
		return true
	}
	wantsGroups := p.asksGroups()
	wantsRoles := p.cfg.RolesClaim != ""
	return wantsGroups && c.find(p.groupsClaim) == nil && !c.overage(p.groupsClaim) ||
		wantsRoles && c.find(p.rolesClaim) == nil
}

// userinfo fetches the claims of the access token's person (OpenID Connect Core 1.0, section 5.3).
func (p *Provider) userinfo(ctx context.Context, url string, token *oauth2.Token) (claims, *Error) {
	const doing = "reading userinfo"
	bearer := http.Header{"Authorization": {"Bearer " + token.AccessToken}}
	res, err := get(ctx, p.client, url, bearer)
	if err != nil {
		return nil, unreachable(doing, err)
	}
	if res.status != http.StatusOK {
		refusal := unavailable(fmt.Errorf("%s: %s answered %d", doing, url, res.status),
			retryAfter(res.header, p.now()))
		if !temporary(res.status) {
			refusal.Remedy = "Allow the scopes profile and email to the application: userinfo was refused."
		}
		return nil, refusal
	}
	if media, _, _ := mime.ParseMediaType(res.header.Get("Content-Type")); media == "application/jwt" {
		return nil, misconfigured("Set the application's userinfo to be unsigned: it comes straight from "+
			"the provider over TLS.", errors.New("userinfo is a signed token"))
	}
	if len(res.body) > maxUserinfo {
		return nil, unavailable(fmt.Errorf("%s: %d bytes are more than we take", doing, len(res.body)), 0)
	}
	var c claims
	if err := json.Unmarshal(res.body, &c); err != nil {
		return nil, unavailable(fmt.Errorf("%s: %w", doing, reduced(err)), 0)
	}
	return c, nil
}

// tokenClaims are the ID token's alone: about the token, the session and the way it was made, or for Entra.
// Userinfo does not add to them.
var tokenClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time",
	"acr", "amr", "sid", "ver", "idp",
	"at_hash", "c_hash", "s_hash", "tid", "oid", "acct", "xms_edov", "hasgroups", "email", "email_verified",
}

// merged adds what userinfo knows and the ID token does not say. An address and its being verified stay
// together: the one is never taken from here and the other from there.
func merged(token, userinfo claims) claims {
	all := make(claims, len(token)+len(userinfo))
	for name, v := range userinfo {
		if !slices.Contains(tokenClaims, name) {
			all[name] = v
		}
	}
	for name, v := range token {
		if v != nil {
			all[name] = v
		}
	}
	switch {
	case !token.has("email"):
		delete(all, "email_verified")
		copyClaims(all, userinfo, "email", "email_verified")
	case !token.has("email_verified") && token.text("email") == userinfo.text("email"):
		copyClaims(all, userinfo, "email_verified")
	}
	return all
}

func copyClaims(to, from claims, names ...string) {
	for _, name := range names {
		if from.has(name) {
			to[name] = from[name]
		}
	}
}
