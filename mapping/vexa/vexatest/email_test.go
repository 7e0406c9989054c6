package vexatest

import "testing"

// What pydantic 2.10.6 with email-validator 2 made of each address, as 0.10 does.
func TestEmailsOf010(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ email, normal, reason string }{
		{"ada@xn--mnchen-3ya.example", "ada@münchen.example", ""},
		{"ADA@MÜNCHEN.example", "ADA@münchen.example", ""},
		{"ada@STRAẞE.example", "ada@straße.example", ""},
		{"ada@xn--fa-hia.example", "ada@faß.example", ""},
		{"ada@ⅷ.com", "ada@viii.com", ""},
		{" ada@X.com ", "ada@x.com", ""},
		{"Ada <ada@X.com>", "ada@x.com", ""},
		{"jo\u0308rg@x.com", "jörg@x.com", ""},
		{"o'x+1@x.com", "o'x+1@x.com", ""},
		{".ada@x.com", "", "An email address cannot start with a period."},
		{"ada.@x.com", "", "An email address cannot have a period immediately before the @-sign."},
		{"a..b@x.com", "", "An email address cannot have two periods in a row."},
		{`"a b"@x.com`, "", "Quoting the part before the @-sign is not allowed here."},
		{"a(b@x.com", "", "The email address contains invalid characters before the @-sign: '('."},
		{"a b@x.com", "", "The email address contains invalid characters before the @-sign: SPACE."},
		{"a\x00b@x.com", "", "The email address contains invalid characters before the @-sign: U+0000."},
		{"a@b@c.com", "", "The part after the @-sign contains invalid characters: '@'."},
		{"ada@x_y.com", "", "The part after the @-sign contains invalid characters: '_'."},
		{"ada@.x.com", "", "An email address cannot have a period immediately after the @-sign."},
		{"ada@x.com.", "", "An email address cannot end with a period."},
		{"ada@-x.com", "", "An email address cannot have a hyphen immediately after the @-sign."},
		{"ada@x-.com", "", "An email address cannot have a period and a hyphen next to each other."},
		{
			"ada@ab--c.com", "", "An email address cannot have two letters followed by two dashes " +
				"immediately after the @-sign or after a period, except Punycode.",
		},
		{
			"ada@x.123", "",
			"The part after the @-sign is not valid. It is not within a valid top-level domain.",
		},
		{"ada@[1.2.3.4]", "", "A bracketed IP address after the @-sign is not allowed here."},
		{
			"ada@home.arpa", "",
			"The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		},
		{"@x.com", "", "There must be something before the @-sign."},
		{"ada@", "", "There must be something after the @-sign."},
	} {
		normal, reason := normalizeEmail(test.email)
		if normal != test.normal || reason != test.reason {
			t.Errorf("%q: %q %q, want %q %q", test.email, normal, reason, test.normal, test.reason)
		}
	}
	if _, reason := normalizeEmail("ada@xn--a.com"); reason == "" {
		t.Error("Punycode that is none was accepted")
	}
}
