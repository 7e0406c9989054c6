package rule

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// The longest address and local part in bytes (RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3).
const (
	maxEmail     = 254
	maxLocalPart = 64
)

var domainProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// CanonicalEmail returns the one spelling of an address that is compared and sent to Vexa, which keeps two
// users for two spellings: trimmed, NFC, lower case, the domain in ASCII. What could be read in two ways (a
// second @, quotes, comments, invisible characters) is not an address here.
func CanonicalEmail(text string) (string, error) {
	text = strings.ToLower(norm.NFC.String(strings.TrimSpace(text)))
	local, domain, found := strings.Cut(text, "@")
	switch {
	case !found || local == "" || domain == "" || strings.Contains(domain, "@"):
		return "", errors.New("it is not name@domain")
	case strings.ContainsFunc(text, ambiguousInEmail):
		return "", errors.New("it has a character that an address may not have")
	}
	domain, err := canonicalDomain(domain)
	if err != nil {
		return "", err
	}
	if len(local) > maxLocalPart || len(local)+1+len(domain) > maxEmail {
		return "", errors.New("it is too long for an address")
	}
	return local + "@" + domain, nil
}

func ambiguousInEmail(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar ||
		strings.ContainsRune(`"\,;:<>()[]`, r)
}

// canonicalDomain returns a domain in lower case and ASCII, and refuses a spelling with the dot of the root.
func canonicalDomain(text string) (string, error) {
	domain, err := domainProfile.ToASCII(strings.TrimSpace(text))
	if err != nil || strings.HasSuffix(domain, ".") {
		return "", errors.New("its domain is not a domain name")
	}
	return domain, nil
}

// tidyEmail and tidyDomain return the canonical spelling, or, of what has none, the text that
// the problem report quotes.
func tidyEmail(text string) string {
	if email, err := CanonicalEmail(text); err == nil {
		return email
	}
	return strings.TrimSpace(text)
}

func tidyDomain(text string) string {
	if domain, err := canonicalDomain(text); err == nil {
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
	return tidyEmail(vexaEmail)
}
