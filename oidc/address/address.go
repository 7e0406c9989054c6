package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// The longest address and the longest local part in bytes (RFC 5321, sections 4.5.3.1.3 and 4.5.3.1.1).
const (
	maxEmail     = 254
	maxLocalPart = 64
)

// domains takes domain names as they are registered (RFC 5891, section 4) and maps nothing: every mapping
// makes one name of two.
var domains = idna.New(
	idna.ValidateForRegistration(), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(true),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true),
)

// Email brings an address into its one form: trimmed, the local part in NFC and lower case, the domain as
// Domain has it. It refuses what different programs could read differently: anything but exactly one @,
// quoted local parts, comments, spaces, control and invisible characters, and letters that look foreign but
// fold to ASCII (the Kelvin sign to k), with which one address could become somebody else's.
func Email(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxEmail {
		return "", fmt.Errorf("it is longer than %d bytes", maxEmail)
	}
	local, domain, found := strings.Cut(text, "@")
	if !found || strings.Contains(domain, "@") {
		return "", errors.New("it is not name@domain")
	}
	local, err := localPart(local)
	if err != nil {
		return "", err
	}
	if domain, err = Domain(domain); err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > maxEmail {
		return "", fmt.Errorf("it is longer than %d bytes", maxEmail)
	}
	return local + "@" + domain, nil
}

// Domain brings a domain into its one form: lower-case ASCII, without the dot of the root. A domain of one
// label is one.
func Domain(text string) (string, error) {
	bad := fmt.Errorf("%q is not a domain name", short(text))
	if !utf8.ValidString(text) || becomesASCII(text) {
		return "", bad
	}
	ascii, err := domains.ToASCII(fold(text))
	if err != nil || ascii == "" || strings.HasSuffix(ascii, ".") {
		return "", bad
	}
	return ascii, nil
}

// Tidy returns an address in its one form, or a text that is none as it is, but trimmed.
func Tidy(text string) string {
	if email, err := Email(text); err == nil {
		return email
	}
	return strings.TrimSpace(text)
}

// Same reports whether two texts are the same address, in whatever spelling. A text that is no address is
// the same as itself alone.
func Same(a, b string) bool { return Tidy(a) == Tidy(b) }

// Unicode returns an address in its one form with the domain in Unicode, as people write it.
func Unicode(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	readable, err := domains.ToUnicode(domain)
	if err != nil {
		return email
	}
	return local + "@" + readable
}

// DomainOf returns the part of an address behind the @.
func DomainOf(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}

// localPunctuation is what RFC 5322, section 3.2.3, allows in an unquoted local part besides letters and
// digits.
const localPunctuation = "!#$%&'*+-/=?^_`{|}~."

func localPart(local string) (string, error) {
	if !utf8.ValidString(local) {
		return "", errors.New("it is not UTF-8")
	}
	if becomesASCII(local) {
		return "", errors.New("it has a character before the @ that folds to an ASCII letter")
	}
	for _, r := range local {
		if isASCII(r) && !isASCIIAlphanumeric(r) && !strings.ContainsRune(localPunctuation, r) ||
			!isASCII(r) && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
			return "", fmt.Errorf("it has the character %q before the @", r)
		}
	}
	local = fold(local)
	if local == "" || len(local) > maxLocalPart {
		return "", fmt.Errorf("it has nothing, or more than %d bytes, before the @", maxLocalPart)
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", errors.New("it has a dot in the wrong place before the @")
	}
	return local, nil
}

// fold is lower case in NFC, and stays the same when folded again.
func fold(s string) string { return norm.NFC.String(strings.ToLower(norm.NFC.String(s))) }

// becomesASCII reports whether folding turns a character that is not ASCII into one that is: the Kelvin sign
// into k, the capital I with a dot, in one character or in two, into i.
func becomesASCII(s string) bool {
	foreign := func(r rune) bool { return !isASCII(r) && strings.ContainsFunc(fold(string(r)), isASCII) }
	return strings.ContainsFunc(s, foreign) || strings.ContainsFunc(norm.NFC.String(s), foreign)
}

func isASCII(r rune) bool { return r < utf8.RuneSelf }

func isASCIIAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// short makes a stranger's text fit into an error.
func short(text string) string {
	const most = 100
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
