package vexatest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// normalizeEmail is 0.10's pydantic EmailStr: it trims, lower-cases the domain, and refuses what cannot be
// delivered to, with email-validator's reason. 0.12 looks at nothing.
func normalizeEmail(email string) (normal, reason string) {
	email = strings.TrimSpace(email)
	local, domain, ok := cutLast(email, "@")
	length := utf8.RuneCountInString
	switch {
	case !ok:
		return "", "An email address must have an @-sign."
	case local == "":
		return "", "There must be something before the @-sign."
	case domain == "":
		return "", "There must be something after the @-sign."
	case length(local) > 64:
		return "", fmt.Sprintf("The email address is too long before the @-sign (%d %s too many).",
			length(local)-64, plural(length(local)-64))
	case strings.ContainsAny(local, " \t"):
		return "", "The email address contains invalid characters before the @-sign: SPACE."
	case strings.ContainsAny(domain, " \t"):
		return "", "The part after the @-sign contains invalid characters: SPACE."
	case strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, "."):
		return "", "An email address cannot have a period immediately after the @-sign or end with one."
	case !strings.Contains(domain, "."):
		return "", "The part after the @-sign is not valid. It should have a period."
	}
	domain = strings.ToLower(domain)
	last := domain[strings.LastIndex(domain, ".")+1:]
	if slices.Contains(specialUseDomains, last) {
		return "",
			"The part after the @-sign is a special-use or reserved name that cannot be used with email."
	}
	return local + "@" + domain, ""
}

var specialUseDomains = []string{"arpa", "invalid", "local", "localhost", "onion", "test"}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

func plural(n int) string {
	if n == 1 {
		return "character"
	}
	return "characters"
}
