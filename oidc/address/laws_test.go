package address_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"vexa-sso/oidc/address"
)

// letters are those with which spellings differ from names: sharp s, sigmas, dotless and dotted i, signs that
// look like letters, ligatures, wide letters, marks, joiners, other scripts.
const letters = "abcdikmsxz0189-ABIKSZ" +
	"\u00df\u1e9e\u017f\u03c2\u03c3\u03a3\u0131\u0130\u0307\u212a\u212b\u00e5\u0308\u00fc\u00dc\u00e9" +
	"\ufb01\uff41\uff21\uff0e\u3002\u200d\u200c\u00ad\u2024\u0645\u05d0\u0431\u0411\u0430\u4f8b\u00aa\u00b9"

// spelling is a domain as somebody may write it: of letters as above, or of names that are near each other.
func spelling() *rapid.Generator[string] {
	label := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune(letters)), 1, 8, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("s\u00df\u1e9eS\u017f")), 1, 5, -1),
		rapid.StringOfN(rapid.Rune(), 1, 4, -1),
	)
	return rapid.Custom(func(t *rapid.T) string {
		domain := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "labels"), ".")
		if encoded, err := idna.Punycode.ToASCII(domain); err == nil &&
			rapid.Bool().Draw(t, "in ASCII") {
			return encoded
		}
		return domain
	})
}

// registrable says whether a text is a domain name as a registry would enter it: each label in lower case and
// NFC, or in the ASCII form of exactly that (RFC 5891, section 4; RFC 5892). It returns both forms. It does
// not ask the package under test.
func registrable(domain string) (ascii string, is bool) {
	registry := idna.New(idna.ValidateForRegistration(), idna.CheckHyphens(true), idna.CheckJoiners(true))
	ascii, err := registry.ToASCII(domain)
	if err != nil || strings.HasSuffix(ascii, ".") {
		return "", false
	}
	return ascii, ascii == domain || strings.ToLower(norm.NFC.String(domain)) == domain
}

// What is in its one form stays as it is.
func TestDomainIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		domain := spelling().Draw(t, "domain")
		once, err := address.Domain(domain)
		if err != nil {
			return
		}
		if again, err := address.Domain(once); again != once || err != nil {
			t.Fatalf("%+q is %q, and that is %q, %v", domain, once, again, err)
		}
		if !isASCIIText(once) || once != strings.ToLower(once) {
			t.Fatalf("%+q is %q", domain, once)
		}
	})
}

// Capitals make no difference, but where a letter shares its capital with another: I is that of i and of the
// dotless i, and what an I means in a domain is i.
func TestDomainIsCaseBlind(t *testing.T) {
	t.Parallel()
	lower := strings.ToLower // EqualFold knows more pairs than that
	rapid.Check(t, func(t *rapid.T) {
		domain := spelling().Draw(t, "domain")
		want, err := address.Domain(domain)
		if err != nil {
			return
		}
		for _, other := range []string{
			strings.Map(unicode.ToUpper, domain), strings.Map(unicode.ToTitle, domain),
			strings.ToLower(domain),
		} {
			if lower(other) != lower(domain) ||
				strings.ContainsRune(norm.NFC.String(other), 'İ') { // refused: some read it as i
				continue
			}
			if got, err := address.Domain(other); got != want || err != nil {
				t.Fatalf("%+q is %q, and %+q is %q, %v", domain, want, other, got, err)
			}
		}
	})
}

// Two domains of two organisations never become one.
func TestDomainsAreNeverMerged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		domain := spelling().Draw(t, "domain")
		mine, err := address.Domain(domain)
		if err != nil {
			return
		}
		// A domain that can be registered stays itself.
		if ascii, is := registrable(domain); is && mine != ascii {
			t.Fatalf("%+q is registered as %q, and became %q", domain, ascii, mine)
		}
		// And whatever else became it is the same but for its case and its encoding.
		readable, err := idna.New().ToUnicode(mine)
		if err != nil {
			t.Fatalf("%+q became %q, which is no domain: %v", domain, mine, err)
		}
		lower := strings.ToLower(norm.NFC.String(domain))
		decoded, err := idna.New().ToUnicode(lower)
		if lower != readable && (err != nil || decoded != readable) {
			t.Fatalf("%+q became %q (%+q), which is another", domain, mine, readable)
		}
	})
}

// The neighbours that were one by IDNA's mappings.
func TestNeighboursAreTwo(t *testing.T) { // S3
	t.Parallel()
	for one, other := range map[string]string{
		"STRA\u1e9eE.EXAMPLE":               "strasse.example",
		"stra\u00dfe.example":               "strasse.example",
		"\u0131rmak.example":                "irmak.example",
		"I\u0307rmak.example":               "irmak.example",
		"\u212aiel.example":                 "kiel.example",
		"b\u03cc\u03bb\u03bf\u03c2.example": "b\u03cc\u03bb\u03bf\u03c3.example",
		"\u017ftrauss.example":              "strauss.example",
	} {
		for _, local := range []string{"", "ada@"} {
			if address.Same(local+one, local+other) {
				t.Errorf("%+q and %+q are the same", local+one, local+other)
			}
		}
		a, errA := address.Domain(one)
		b, errB := address.Domain(other)
		if errA == nil && errB == nil && a == b {
			t.Errorf("%+q and %+q are both %q", one, other, a)
		}
	}
}

// Two spellings of one address are the same, and people read the domain as they write it.
func TestSameAddress(t *testing.T) { // S3
	t.Parallel()
	for one, other := range map[string]string{
		"ada@xn--mnchen-3ya.example": "ada@m\u00fcnchen.example",
		" Ada@M\u00dcNCHEN.example":  "ada@mu\u0308nchen.example",
		"ADA@STRA\u1e9eE.example":    "ada@xn--strae-oqa.example",
		"nobody":                     " nobody ",
	} {
		if !address.Same(one, other) {
			t.Errorf("%+q and %+q are two", one, other)
		}
	}
	if address.Same("Nobody", "nobody") {
		t.Error("two texts that are no addresses are the same")
	}
	if got := address.Unicode("ada@xn--mnchen-3ya.example"); got != "ada@m\u00fcnchen.example" {
		t.Errorf("people read %q", got)
	}
}

// The same laws for whole addresses.
func TestEmailLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringOfN(rapid.RuneFrom([]rune(letters+".+_")), 1, 8, -1).Draw(t, "local")
		text := local + "@" + spelling().Draw(t, "domain")
		once, err := address.Email(text)
		if err != nil {
			return
		}
		if again, err := address.Email(once); again != once || err != nil {
			t.Fatalf("%+q is %+q, and that is %+q, %v", text, once, again, err)
		}
		written := address.Unicode(once)
		if back, err := address.Email(written); back != once || err != nil {
			t.Fatalf("%+q is %+q, written %+q, which is %+q, %v", text, once, written, back, err)
		}
		for _, r := range local {
			if r > '~' && isASCIIText(strings.ToLower(string(r))) {
				t.Fatalf("%+q became %+q", text, once)
			}
		}
	})
}
