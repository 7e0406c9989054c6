package vexatest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// normalizeEmail is 0.10's pydantic EmailStr: it trims, brings the domain to lower case and Unicode, and
// refuses what cannot be delivered to, with email-validator's reason. 0.12 looks at nothing.
func normalizeEmail(email string) (normal, reason string) {
	email = strings.TrimSpace(email)
	if m := prettyEmail.FindStringSubmatch(email); m != nil {
		email = strings.TrimSpace(m[1])
	}
	local, domain, ok := strings.Cut(email, "@")
	switch {
	case !ok:
		return "", "An email address must have an @-sign."
	case strings.HasPrefix(email, `"`):
		return "", "Quoting the part before the @-sign is not allowed here."
	}
	if reason := badLocal(local); reason != "" {
		return "", reason
	}
	ascii, reason := asciiDomain(strings.ToLower(norm.NFC.String(domain)))
	if reason != "" {
		return "", reason
	}
	shown, err := idnaLookup.ToUnicode(ascii)
	if err != nil {
		return "", "The part after the @-sign is not valid IDNA (" + err.Error() + ")."
	}
	local = norm.NFC.String(local)
	if over := utf8.RuneCountInString(local) + 1 + len(ascii) - 254; over > 0 {
		return "", fmt.Sprintf("The email address is too long (%s).", tooMany(over))
	}
	return local + "@" + shown, ""
}

// prettyEmail is "Ada <ada@example.com>", of which pydantic takes the address.
var prettyEmail = regexp.MustCompile(`\A[\pL\pN_ ]*? *<(.*)>\z`)

var idnaLookup = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.ValidateLabels(true), idna.BidiRule(),
	idna.StrictDomainName(true),
)

// badLocal returns what is wrong before the @-sign.
func badLocal(local string) string {
	const where = "The email address contains invalid characters before the @-sign: "
	if local == "" {
		return "There must be something before the @-sign."
	}
	if over := utf8.RuneCountInString(local) - 64; over > 0 {
		return fmt.Sprintf("The email address is too long before the @-sign (%s).", tooMany(over))
	}
	if bad := strangers(local, func(r rune) bool {
		return isLetterOrDigit(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r)
	}); bad != "" {
		return where + bad + "."
	}
	switch {
	case strings.HasPrefix(local, "."):
		return "An email address cannot start with a period."
	case strings.HasSuffix(local, "."):
		return "An email address cannot have a period immediately before the @-sign."
	case strings.Contains(local, ".."):
		return "An email address cannot have two periods in a row."
	}
	return ""
}

// asciiDomain returns a domain in its ASCII form, or what is wrong with it.
func asciiDomain(domain string) (ascii, reason string) {
	switch {
	case domain == "":
		return "", "There must be something after the @-sign."
	case strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]"):
		return "", "A bracketed IP address after the @-sign is not allowed here."
	}
	if bad := strangers(domain, func(r rune) bool {
		return isLetterOrDigit(r) || r == '-' || r == '.'
	}); bad != "" {
		return "", "The part after the @-sign contains invalid characters: " + bad + "."
	}
	if reason := badDots(domain); reason != "" {
		return "", reason
	}
	ascii, err := idnaLookup.ToASCII(domain)
	if err != nil {
		return "", "The part after the @-sign is not valid IDNA (" + err.Error() + ")."
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if over := len(label) - 63; over > 0 {
			return "", "After the @-sign, periods cannot be separated by so many characters (" +
				tooMany(over) + ")."
		}
	}
	last := ascii[strings.LastIndex(ascii, ".")+1:]
	switch over := len(ascii) - 253; {
	case over > 0:
		return "", fmt.Sprintf("The email address is too long after the @-sign (%s).", tooMany(over))
	case last == ascii:
		return "", "The part after the @-sign is not valid. It should have a period."
	case !asciiLetter(last[len(last)-1]):
		return "", "The part after the @-sign is not valid. It is not within a valid top-level domain."
	case slices.Contains(specialUseDomains, last):
		return "",
			"The part after the @-sign is a special-use or reserved name that cannot be used with email."
	}
	return ascii, ""
}

var specialUseDomains = []string{"arpa", "invalid", "local", "localhost", "onion", "test"}

func badDots(domain string) string {
	switch {
	case strings.HasPrefix(domain, "."):
		return "An email address cannot have a period immediately after the @-sign."
	case strings.HasPrefix(domain, "-"):
		return "An email address cannot have a hyphen immediately after the @-sign."
	case strings.HasSuffix(domain, "."):
		return "An email address cannot end with a period."
	case strings.HasSuffix(domain, "-"):
		return "An email address cannot end with a hyphen."
	case strings.Contains(domain, ".."):
		return "An email address cannot have two periods in a row."
	case strings.Contains(domain, ".-") || strings.Contains(domain, "-."):
		return "An email address cannot have a period and a hyphen next to each other."
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > 4 && label[2:4] == "--" && !strings.HasPrefix(label, "xn") {
			return "An email address cannot have two letters followed by two dashes immediately after the " +
				"@-sign or after a period, except Punycode."
		}
	}
	return ""
}

func isLetterOrDigit(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

func asciiLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// strangers names the characters that do not fit, as Python sorts and writes them.
func strangers(s string, fits func(rune) bool) string {
	var bad []string
	for _, r := range s {
		if fits(r) {
			continue
		}
		name := "'" + string(r) + "'"
		switch {
		case r == ' ':
			name = "SPACE"
		case !unicode.IsGraphic(r):
			name = fmt.Sprintf("U+%04X", r)
		case r == '\'':
			name = `"'"`
		}
		if !slices.Contains(bad, name) {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	return strings.Join(bad, ", ")
}

func tooMany(n int) string {
	if n == 1 {
		return "1 character too many"
	}
	return fmt.Sprintf("%d characters too many", n)
}
