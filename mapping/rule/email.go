package rule

import (
	"strings"

	"vexa-sso/oidc/address"
)

// tidyDomain returns the canonical spelling, or, of what has none, the text that the problem report quotes.
func tidyDomain(text string) string {
	if domain, err := address.Domain(strings.TrimSpace(text)); err == nil {
		return domain
	}
	return strings.TrimSpace(text)
}

// computedAddress says whether a vexa_email is an expression, and returns its text. A blank takes the place
// of the = so that columns count from where the admin's text begins.
func computedAddress(vexaEmail string) (text string, computed bool) {
	if rest, ok := strings.CutPrefix(vexaEmail, "="); ok {
		return " " + rest, true
	}
	return "", false
}

func tidyAddress(vexaEmail string) string {
	if _, computed := computedAddress(vexaEmail); computed {
		return vexaEmail
	}
	return address.Tidy(vexaEmail)
}
