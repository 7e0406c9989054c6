package oidc

import (
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
)

// bombs are tokens that are made to cost more than they say.
func bombs(issuer string) map[string]string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	header, iss := part(`{"alg":"RS256","kid":"k"}`), `"iss":"`+issuer+`"`
	fill := func(unit string) string { return strings.Repeat(unit, 48_000/len(unit)) }
	return map[string]string{
		"a megabyte":           strings.Repeat("a", 1<<20),
		"a megabyte in parts":  header + "." + part("{"+iss+"}") + "." + strings.Repeat("a", 1<<20),
		"a million dots":       strings.Repeat(".", 1_000_000),
		"dots, as many as fit": strings.Repeat(".", maxToken),
		"p2c": part(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647}`) +
			".a.b.c.d",
		"p2c in a signed token": part(`{"alg":"PBES2-HS512+A256KW","p2c":2147483647}`) + "." +
			part("{"+iss+"}") + ".c",
		"zip": part(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + ".." + "b." +
			strings.Repeat("c", 60_000) + ".d",
		"a header of 60 KB": part(`{"alg":"RS256","x5c":["`+fill("a")+`"]}`) + "." +
			part("{"+iss+"}") + ".c",
		"another issuer's": header + "." +
			part(`{"iss":"https://evil.example","x":"`+fill("a")+`"}`) + ".c",
		"no JSON":                header + "." + part(fill("a")) + ".c",
		"nested":                 header + "." + part("{"+`"x":`+fill("[")) + ".c",
		"nested in what is read": header + "." + part(`{"iss":`+fill("[")) + ".c",
		"an issuer of 48 KB":     header + "." + part(`{"iss":"`+fill("a")+`"}`) + ".c",
		"as many names as fit": header + "." +
			part(`{"iss":"https://evil.example"`+fill(`,"":0`)+"}") + ".c",
		"as many audiences": header + "." +
			part(`{"iss":"https://evil.example","aud":[0`+fill(`,0`)+"]}") + ".c",
		"not of base64": header + "." + strings.Repeat("!", 60_000) + ".c",
		"newlines":      header + "." + strings.Repeat("\n", 60_000) + ".c",
		"a signature of 60 KB": header + "." + part(`{"iss":"https://evil.example"}`) + "." +
			strings.Repeat("a", 60_000),
		"no algorithm": part(`{"alg":"none"}`) + "." + part(`{"iss":"https://evil.example"}`) + ".",
		"an algorithm of 5 KB": part(`{"alg":"`+strings.Repeat("a", 5_000)+`"}`) + "." +
			part(`{"iss":"https://evil.example"}`) + ".",
		"a key of its own": part(`{"alg":"RS256","jwk":{"kty":"RSA","n":"`+
			strings.Repeat("A", 5_000)+`","e":"AQAB"}}`) +
			"." + part(`{"iss":"https://evil.example"}`) + ".AA",
		"an address for its keys": part(`{"alg":"RS256","jku":"https://evil.example/keys"}`) + "." +
			part(`{"iss":"https://evil.example"}`) + ".AA",
	}
}

// S12: whatever is too large or asks for work is refused before the work. What is measured is memory and the
// number of allocations, which do not depend on the machine; the clock would.
func TestBearerBombs(t *testing.T) {
	f := newIDP(t)
	p := f.okta(t, Config{API: API{Audiences: []string{"api://default"}}})
	const runs = 20
	for name, raw := range bombs(p.Issuer()) {
		refuse := func() {
			if _, err := p.VerifyAccessToken(t.Context(), raw); err == nil {
				t.Fatalf("%s is taken", name)
			}
			UnverifiedIssuer(raw)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			refuse()
		}
		runtime.ReadMemStats(&after)
		bytes, allocations := (after.TotalAlloc-before.TotalAlloc)/runs/2,
			testing.AllocsPerRun(runs, refuse)/2
		t.Logf("%-25s %7d bytes, %4.0f allocations", name, bytes, allocations)
		if bytes > 64<<10 || allocations > 100 {
			t.Errorf("%s costs %d bytes in %v allocations", name, bytes, allocations)
		}
	}
	if n := f.count("openid-configuration") + f.count("keys"); n != 0 {
		t.Errorf("they cost %d calls", n)
	}
}
