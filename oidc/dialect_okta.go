package oidc

import (
	"errors"
	"regexp"
	"strings"
)

// okta is the dialect of an Okta org. Every authorization server of an org is an issuer of its own, but a
// person has one id over all of them.
type okta struct {
	standard
	org string
}

func newOkta(cfg Config) okta {
	issuer := canonicalIssuer(cfg.Issuer)
	return okta{standard{issuer, cfg.ClientID}, oktaOrg(issuer)}
}

var oktaServer = regexp.MustCompile(`/oauth2/[^/]+$`)

// oktaOrg is the issuer less its authorization server: https://acme.okta.com/oauth2/default is of
// https://acme.okta.com.
func oktaOrg(issuer string) string { return oktaServer.ReplaceAllString(issuer, "") }

var oktaUser = regexp.MustCompile(`^[0-9A-Za-z_-]{1,100}$`)

func (o okta) subject(c claims) (string, *Error) {
	id := c.text("sub")
	if !oktaUser.MatchString(id) {
		return "", misconfigured("The issuer is not Okta's, or uses pairwise subjects: set the "+
			"application's subject to the user's id.",
			errors.New("the ID token's sub is not an Okta user id"))
	}
	return "okta:" + o.org + "/" + id, nil
}

// groupsCut: a claim that an expression makes ends at 100 groups, and nothing tells; that of a filter fails
// beyond 100, which does.
func (o okta) groupsCut() int { return 100 }

// emailWord: an org is one organisation's, so its trusted domains prove an address that Okta says nothing
// about.
func (o okta) emailWord(c claims) (verdict, bool) { return emailVerified(c), true }

// handlesIssuer also knows the org: its dashboard starts sign-ins in the org's name, whatever server the
// application uses.
func (o okta) handlesIssuer(doc *document, iss string) bool {
	return o.standard.handlesIssuer(doc, iss) || strings.TrimSuffix(iss, "/") == o.org
}

func (o okta) endSession(doc *document, r logoutRequest) (string, bool) {
	if r.idToken == "" {
		return "", false // Okta answers 400 without id_token_hint
	}
	return endSessionURL(doc, map[string]string{
		"id_token_hint":            r.idToken,
		"post_logout_redirect_uri": r.returnTo,
	})
}

// prompt: Okta has no account chooser to ask for; signing in again lets the person choose.
func (o okta) prompt(asked string) string {
	return strings.ReplaceAll(asked, "select_account", "login")
}

// universalLogoutIssuer is the org, whatever authorization server is configured.
func (o okta) universalLogoutIssuer() string { return o.org }
