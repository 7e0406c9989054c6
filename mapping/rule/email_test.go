package rule

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonicalEmail(t *testing.T) { // E2 E6
	t.Parallel()
	label := strings.Repeat("a", 60) + "."
	for text, want := range map[string]string{
		"ada@acme.example":                 "ada@acme.example",
		" Ada.Lovelace+x@ACME.Example\t":   "ada.lovelace+x@acme.example",
		"ada@Bücher.example":               "ada@xn--bcher-kva.example",
		"ada@XN--BCHER-KVA.example":        "ada@xn--bcher-kva.example",
		"Zoë@acme.example":                 "zoë@acme.example",
		"Zoe\u0308@acme.example":           "zoë@acme.example", // one letter, two spellings
		"o'brien!#$%&*/=?^_`{|}~@acme.com": "o'brien!#$%&*/=?^_`{|}~@acme.com",
		strings.Repeat("a", 64) + "@" + strings.Repeat(label, 3) + "exampl": strings.Repeat("a", 64) + "@" +
			strings.Repeat(label, 3) + "exampl",

		"":                                          "",
		"ada":                                       "",
		"@acme.example":                             "",
		"ada@":                                      "",
		"attacker@evil.example@acme.example":        "",
		`"ada@evil.example"@acme.example`:           "",
		`"ada"@acme.example`:                        "",
		"ada @acme.example":                         "",
		"ada\x00@acme.example":                      "",
		"ada\u200b@acme.example":                    "", // zero width
		"ada\u202e@acme.example":                    "", // right-to-left override
		"ada\u00a0b@acme.example":                   "", // no-break space
		"ada\ufffd@acme.example":                    "",
		"ada\xff@acme.example":                      "",
		"ada@acme.example,eve@evil.example":         "",
		"Ada <ada@acme.example>":                    "",
		"ada(eve)@acme.example":                     "",
		"ada@[127.0.0.1]":                           "",
		"ada@acme..example":                         "",
		"ada@acme.example.":                         "",
		"ada@acme_inc.example":                      "",
		"ada@-acme.example":                         "",
		strings.Repeat("a", 65) + "@acme.example":   "",
		"a@" + strings.Repeat("a", 64) + ".example": "",
		strings.Repeat("a", 64) + "@" + strings.Repeat(label, 3) + "example": "",
	} {
		got, err := CanonicalEmail(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzCanonicalEmail(f *testing.F) {
	for _, seed := range []string{
		"ada@acme.example", "Zoe\u0308@Bücher.example", "a@b@c", "\u0130@acme.example", "ada@\u2024example",
		"K@acme.example", "a@ß.de",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		email, err := CanonicalEmail(text)
		if err != nil {
			return
		}
		local, domain, _ := strings.Cut(email, "@")
		if local == "" || domain == "" || strings.Contains(domain, "@") || len(email) > maxEmail ||
			!utf8.ValidString(email) || strings.ContainsFunc(email, ambiguousInEmail) {
			t.Errorf("%q became %q", text, email)
		}
		if again, err := CanonicalEmail(email); again != email || err != nil {
			t.Errorf("%q became %q, and that %q, %v", text, email, again, err)
		}
	})
}
