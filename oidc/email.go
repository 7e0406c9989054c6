package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// mailDomains maps a domain to its one ASCII form (UTS #46, RFC 5891): lower case, xn-- labels.
var mailDomains = idna.New(
	idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(true),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true),
)

// NormalizeEmail brings an address into the one form in which addresses are compared and stored: trimmed, the
// local part in NFC and lower case, the domain as lower-case ASCII (IDNA). It refuses what different programs
// could read differently: anything but exactly one @, quoted local parts, comments, spaces, control and
// invisible characters, and letters that look foreign but fold to ASCII (the Kelvin sign to k), with which
// one address could become somebody else's.
func NormalizeEmail(address string) (string, error) {
	address = strings.TrimSpace(address)
	if len(address) > 254 { // RFC 5321, section 4.5.3.1.3
		return "", errors.New("the address is longer than 254 bytes")
	}
	local, domain, found := strings.Cut(address, "@")
	if !found || strings.Contains(domain, "@") {
		return "", errors.New("the address does not have exactly one @")
	}
	local, err := normalizeLocalPart(local)
	if err != nil {
		return "", err
	}
	domain, err = normalizeDomain(domain)
	if err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > 254 {
		return "", errors.New("the address is longer than 254 bytes")
	}
	return local + "@" + domain, nil
}

// localPunctuation is what RFC 5322, section 3.2.3, allows in an unquoted local part besides letters and
// digits.
const localPunctuation = "!#$%&'*+-/=?^_`{|}~."

func normalizeLocalPart(local string) (string, error) {
	if !utf8.ValidString(local) {
		return "", errors.New("the address is not UTF-8")
	}
	for _, r := range local {
		switch {
		case r < utf8.RuneSelf && !isASCIIAlphanumeric(r) && !strings.ContainsRune(localPunctuation, r):
			return "", fmt.Errorf("the address has the character %q before the @", r)
		case r >= utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r):
			return "", fmt.Errorf("the address has the character %q before the @", r)
		case r >= utf8.RuneSelf && strings.ContainsFunc(fold(string(r)), isASCII):
			return "", fmt.Errorf("the address has %q before the @, which folds to an ASCII letter", r)
		}
	}
	local = fold(local)
	if local == "" || len(local) > 64 { // RFC 5321, section 4.5.3.1.1
		return "", errors.New("the address has nothing, or more than 64 bytes, before the @")
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", errors.New("the address has a dot in the wrong place before the @")
	}
	return local, nil
}

// normalizeDomain is a domain's one form: lower-case ASCII, without a trailing dot.
func normalizeDomain(domain string) (string, error) {
	ascii, err := mailDomains.ToASCII(domain)
	if err != nil || !utf8.ValidString(domain) || ascii == "" || strings.HasSuffix(ascii, ".") {
		return "", fmt.Errorf("%s is not a domain", quoted(domain))
	}
	return ascii, nil
}

// fold is lower case in NFC, and stays the same when folded again.
func fold(s string) string { return norm.NFC.String(strings.ToLower(norm.NFC.String(s))) }

func isASCII(r rune) bool { return r < utf8.RuneSelf }

func isASCIIAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// domainOf is the part of a normalized address after the @.
func domainOf(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

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
	switch v := c["xms_edov"].(type) {
	case nil:
		return unsaid
	case bool:
		if v {
			return affirmed
		}
	case float64:
		if v == 1 {
			return affirmed
		}
	case string:
		if v == "1" || strings.EqualFold(v, "true") {
			return affirmed
		}
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
func decideEmail(address string, word verdict, pinned bool, trustedDomains []string) emailClaim {
	if strings.TrimSpace(address) == "" {
		return emailClaim{}
	}
	email, err := NormalizeEmail(address)
	if err != nil {
		return emailClaim{unproven: forPeople(address)}
	}
	trusted := slices.Contains(trustedDomains, domainOf(email))
	if word == affirmed || word == unsaid && pinned && trusted {
		return emailClaim{proven: email, trusted: trusted}
	}
	return emailClaim{unproven: email}
}
