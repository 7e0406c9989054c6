package address_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"vexa-sso/oidc/address"
)

// E2, E6: one address, one form; and nothing that two programs could read as two addresses.
func TestEmail(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"ada@acme.example":                        "ada@acme.example",
		" Ada.Byron@ACME.Example ":                "ada.byron@acme.example",
		"o'brien+tag@acme.example":                "o'brien+tag@acme.example",
		"ada@bücher.example":                      "ada@xn--bcher-kva.example",
		"ada@BÜCHER.example":                      "ada@xn--bcher-kva.example",
		"ada@xn--bcher-kva.example":               "ada@xn--bcher-kva.example",
		"ada@bu\u0308cher.example":                "ada@xn--bcher-kva.example",
		"J\u00c9R\u00d4ME@acme.example":           "j\u00e9r\u00f4me@acme.example",
		"Je\u0301ro\u0302me@acme.example":         "j\u00e9r\u00f4me@acme.example",
		"ada@xn--fa-hia.example":                  "ada@xn--fa-hia.example",
		"ada@XN--BCHER-KVA.example":               "ada@xn--bcher-kva.example",
		"o'brien!#$%&*/=?^_`{|}~@acme.com":        "o'brien!#$%&*/=?^_`{|}~@acme.com",
		"ada@STRA\u1e9eE.EXAMPLE":                 "ada@xn--strae-oqa.example",
		"ada@stra\u00dfe.example":                 "ada@xn--strae-oqa.example",
		"ada@strasse.example":                     "ada@strasse.example",
		"ada@sub.acme.example":                    "ada@sub.acme.example",
		strings.Repeat("a", 64) + "@acme.example": strings.Repeat("a", 64) + "@acme.example",
	}
	for text, want := range good {
		if got, err := address.Email(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
	bad := []string{
		"", "@", "ada", "ada@", "@acme.example", "attacker@evil.com@acme.example",
		"ada@acme.example@", "ada@@acme.example",
		`"ada"@acme.example`, `"a@b"@acme.example`, `"ada@evil.com"@acme.example`,
		"ada(comment)@acme.example", "ada@acme.example(x)", "<ada@acme.example>",
		"Ada <ada@acme.example>", "ada@acme.example, eve@evil.com", "ada;eve@acme.example",
		"ada byron@acme.example", "ada@acme .example",
		"ada\n@acme.example", "ada\x00@acme.example", "ada@acme.example\x00.evil.com",
		"ada@acme.example\n.evil.com", "ada\t@acme.example",
		"ada\u00a0@acme.example", "ada\u200b@acme.example", "ada\u202e@acme.example",
		"ada\ufeff@acme.example", "ada\u00ad@acme.example",
		"ali\u212ae@acme.example", "\u0130lse@acme.example", "ada\uff20acme.example",
		"ada@evil.com\uff20acme.example", "\ufe6bada@acme.example",
		"ada@acme\uff0eexample", "ada@acme\u3002example", "ada@\uff41cme.example", "ada@acme\u2024example",
		"ada@\u017ftra\u00dfe.example", "ada@\ufb01n.example", "ada@\u0130stanbul.example",
		"ada@I\u0307stanbul.example", "I\u0307lse@acme.example", "ada@\u212aiel.example",
		"ada@ac\u00adme.example", "ada@ac\u200bme.example", "ada@xn--strasse-.example",
		"ada@xn--strae-oqaa.xn--", "ada@acme\ufffd.example", "ada@acme.example,eve@evil.example",
		"ada@acme..example", "ada@.acme.example", "ada@acme.example.", "ada@-acme.example",
		"ada@acme_x.example", "ada@[127.0.0.1]", "ada@acme.example/x",
		"ada@acme.example:25", "ada@acme%2eexample",
		".ada@acme.example", "ada.@acme.example", "a..da@acme.example", "ada\\@acme.example",
		"a\xff@acme.example", "ada@acme\xff.example",
		strings.Repeat("a", 65) + "@acme.example", "ada@" + strings.Repeat("a.", 130) + "example",
		"ada@" + strings.Repeat("a", 64) + ".example", strings.Repeat("a", 1<<20),
	}
	for _, text := range bad {
		if got, err := address.Email(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		} else if len(err.Error()) > 1000 {
			t.Errorf("the error for %.20q… has %d bytes", text, len(err.Error()))
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, seed := range []string{
		"ada@acme.example", " Ada@BÜCHER.example", "e\u0301@x.y", "ali\u212ae@acme.example",
		"attacker@evil.com@acme.example", "\"a\"@b.c", "ada@acme.example\x00", "İ@x.y",
		"ǰ̣@x.y", "ά@x.y", "a@xn--a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := address.Email(text)
		if err != nil {
			return
		}
		if again, err := address.Email(got); again != got || err != nil {
			t.Errorf("%q normalizes to %q, and that to %q, %v", text, got, again, err)
		}
		if strings.Count(got, "@") != 1 || strings.Count(text, "@") != 1 ||
			!utf8.ValidString(got) || len(got) > 254 {
			t.Errorf("%q normalizes to %q", text, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.IsSpace(r) || r == '"' || r == ',' || r == '<'
		}) {
			t.Errorf("%q normalizes to %q", text, got)
		}
		if domain := address.DomainOf(got); strings.ContainsFunc(domain, func(r rune) bool {
			return r > '~' || unicode.IsUpper(r)
		}) {
			t.Errorf("%q has the domain %q", text, domain)
		}
		if up, err := address.Email(strings.ToUpper(got)); err == nil && isASCIIText(got) && up != got {
			t.Errorf("%q and its capitals differ: %q", got, up)
		}
	})
}

func isASCIIText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
