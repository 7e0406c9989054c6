package oidc

import (
	"slices"
	"strings"

	"vexa-sso/oidc/address"
)

// verdict is what a provider says about an address: yes, no, or nothing.
type verdict int

const (
	unsaid verdict = iota
	affirmed
	denied
)

// emailVerified reads email_verified (OpenID Connect Core 1.0, section 5.1), which some providers write as a
// string.
func emailVerified(c claims) verdict {
	switch c["email_verified"] {
	case nil:
		return unsaid
	case true, "true":
		return affirmed
	}
	return denied
}

// edov reads xms_edov, Entra's "email domain owner verified", in every encoding that live tokens have shown.
func edov(c claims) verdict {
	text, _ := c["xms_edov"].(string)
	switch {
	case c["xms_edov"] == nil:
		return unsaid
	case c["xms_edov"] == true, c.one("xms_edov"), strings.EqualFold(text, "true"):
		return affirmed
	}
	return denied
}

// emailClaim is what was decided about an identity's address.
type emailClaim struct {
	proven   string // normalized, or empty
	trusted  bool   // proven is in a trusted domain
	unproven string // for people, when nothing is proven
}

// decideEmail decides whether the claimed address is proven: by the provider's word; or, when the provider
// says nothing and only this organisation's people can come from it (pinned), by a trusted domain. A
// provider's no stands: a domain that is trusted in general does not overrule it.
func decideEmail(claimed string, word verdict, pinned bool, trustedDomains []string) emailClaim {
	if strings.TrimSpace(claimed) == "" {
		return emailClaim{}
	}
	email, err := address.Email(claimed)
	if err != nil {
		return emailClaim{unproven: forPeople(claimed)}
	}
	trusted := slices.Contains(trustedDomains, address.DomainOf(email))
	if word == affirmed || word == unsaid && pinned && trusted {
		return emailClaim{proven: email, trusted: trusted}
	}
	return emailClaim{unproven: email}
}
