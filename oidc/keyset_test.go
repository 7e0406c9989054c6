package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// forge finishes a sign-in with an ID token that this key signed.
func (f *idp) forge(t *testing.T, p *Provider, by signer, claims map[string]any) error {
	t.Helper()
	a, _ := begin(t, p, BeginOptions{})
	claims = maps.Clone(claims)
	claims["nonce"] = a.Nonce
	f.gives(by.sign(claims, nil))
	_, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}})
	return err
}

// E9, S12: however many tokens with unknown keys or bad signatures arrive, the keys are
// fetched once in five minutes.
func TestForgedTokensFetchKeysOnceInFiveMinutes(t *testing.T) {
	t.Parallel()
	for name, forger := range map[string]func(n int) signer{
		"unknown kid":                 func(n int) signer { return newSigner(1, fmt.Sprint("unknown-", n)) },
		"bad signature, known kid":    func(int) signer { return newSigner(1, "kid-0") },
		"unknown kid, the right key":  func(n int) signer { return newSigner(0, fmt.Sprint("unknown-", n)) },
		"bad signature without a kid": func(int) signer { return newSigner(1, "") },
	} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", warm ", warm), func(t *testing.T) {
				t.Parallel()
				f := newIDP(t)
				p := f.okta(t, Config{})
				before := 0
				if warm {
					f.signedIn(t, p, f.oktaClaims())
					before = 1
				}
				for period := range 3 {
					for n := range 20 {
						refused(t, f.forge(t, p, forger(n), f.oktaClaims()), CodeSignInInvalid)
						f.clock.Advance(time.Second)
					}
					if got, most := f.count("keys")-before, period+1; got != most {
						t.Errorf("period %d: %d fetches", period, got)
					}
					f.clock.Advance(5*time.Minute - 20*time.Second)
				}
			})
		}
	}
}

func TestForgedTokensAtOnce(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	token, err := jose.ParseSignedCompact(newSigner(1, "unknown").sign(f.oktaClaims(), nil),
		[]jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := p.keys.verify(
				t.Context(), f.URL+"/v1/keys", token, func(publicKey, []byte) error { return nil },
			); err == nil {
				t.Error("a forged token was verified")
			}
		})
	}
	wg.Wait()
	if n := f.count("keys"); n != 2 {
		t.Errorf("%d fetches, want the first and one for all forgeries", n)
	}
}

// A key that appears is found at once, time after time, as long as it is real.
func TestRotationIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	for n := range 3 {
		f.signer = newSigner(n%3, fmt.Sprint("rotated-", n))
		f.publish(f.signer)
		f.signedIn(t, p, f.oktaClaims())
	}
	// The same kid with other key material is another key.
	f.signer = newSigner(1, "rotated-2")
	f.publish(f.signer)
	f.signedIn(t, p, f.oktaClaims())
}

// A set that loses and finds keys from one fetch to the next, as Entra's does, costs nobody a sign-in.
func TestFlappingKeys(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	a, b := newSigner(0, "a"), newSigner(1, "b")
	f.publish(a, b)
	f.signer = a
	f.signedIn(t, p, f.oktaClaims())
	for hour := range 48 {
		f.clock.Advance(time.Hour)
		f.publish(b)
		if hour%12 == 0 {
			f.publish(a)
		}
		f.signedIn(t, p, f.oktaClaims()) // with a, and refreshes the keys in passing
		p.settle()
		if want := hour + 2; f.count("keys") != want {
			t.Fatalf("%d fetches after %d hours, want %d", f.count("keys"), hour+1, want)
		}
	}
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.publish(newSigner(1, "kid-1")) // kid-0 is withdrawn
	f.clock.Advance(23 * time.Hour)
	f.signedIn(t, p, f.oktaClaims())
	p.settle()
	f.clock.Advance(time.Hour)
	_, err := f.signIn(t, p, f.oktaClaims())
	refused(t, err, CodeSignInInvalid)
}

func TestKeysServeStale(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.answer("keys", status(500, ""))
	for range 23 {
		f.clock.Advance(time.Hour)
		f.signedIn(t, p, f.oktaClaims())
		p.settle()
	}
	f.clock.Advance(time.Hour)
	_, err := f.signIn(t, p, f.oktaClaims())
	refused(t, err, CodeProviderUnavailable)
}

// S10: what can't be told apart from a new key while the keys can't be read is "later", not "no".
func TestUnknownKeyWhileKeysAreDown(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.answer("keys", status(503, ""))
	for range 3 {
		e := refused(t, f.forge(t, p, newSigner(1, "new"), f.oktaClaims()), CodeProviderUnavailable)
		if e.RetryAfter > 5*time.Minute {
			t.Errorf("wait %v", e.RetryAfter)
		}
	}
	if n := f.count("keys"); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestKeysDownAtFirst(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.answer("keys", status(503, ""))
	for range 3 {
		refused(t, f.forge(t, p, f.signer, f.oktaClaims()), CodeProviderUnavailable)
	}
	if n := f.count("keys"); n != 1 {
		t.Errorf("%d fetches within the backoff", n)
	}
	f.answer("keys", nil)
	f.clock.Advance(time.Second)
	f.signedIn(t, p, f.oktaClaims())
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	good := newSigner(0, "kid-0")
	// 1024 bits
	weak := map[string]any{"kty": "RSA", "kid": "kid-0", "e": "AQAB", "n": strings.Repeat("_", 171)}
	for name, test := range map[string]struct {
		keys []map[string]any
		by   signer // default: kid-0
		code string
	}{
		"beside a broken key": {keys: []map[string]any{{"kty": "RSA", "n": "!"}, good.published()}},
		"beside an unknown type": {
			keys: []map[string]any{{"kty": "OKP", "crv": "Ed448", "x": "AA"}, good.published()},
		},
		"beside a wrong thumbprint": {
			keys: []map[string]any{newSigner(1, "kid-1").with("x5t", "AAAA").published(), good.published()},
		},
		"beside an encryption key": {
			keys: []map[string]any{newSigner(1, "kid-0").with("use", "enc").published(), good.published()},
		},
		"one, without a kid": {keys: []map[string]any{newSigner(0, "").published()}, by: newSigner(0, "")},
		"an EC key beside, no kid": {
			keys: []map[string]any{newSigner(0, "").published(), ecPublished(t)}, by: newSigner(0, ""),
		},
		"several without a kid": {
			keys: []map[string]any{newSigner(0, "").published(), newSigner(1, "").published()},
			by:   newSigner(0, ""), code: CodeSignInInvalid,
		},
		"alg of the key agrees": {keys: []map[string]any{good.with("alg", "RS256").published()}},
		"alg of the key differs": {
			keys: []map[string]any{good.with("alg", "RS512").published()}, code: CodeSignInInvalid,
		},
		"for encryption alone": {
			keys: []map[string]any{good.with("use", "enc").published()}, code: CodeProviderUnavailable,
		},
		"empty":    {code: CodeProviderUnavailable},
		"too weak": {keys: []map[string]any{weak}, code: CodeProviderUnavailable},
		"symmetric": {
			keys: []map[string]any{{"kty": "oct", "kid": "kid-0", "k": "AAAAAAAAAAAAAAAAAAAAAA"}},
			code: CodeProviderUnavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			f.change(func() { f.keys = test.keys })
			if test.by.private != nil {
				f.signer = test.by
			}
			_, err := f.signIn(t, p, f.oktaClaims())
			if test.code == "" {
				if err != nil {
					t.Errorf("sign-in failed: %v", err)
				}
				return
			}
			refused(t, err, test.code)
		})
	}
}

// S12: neither one set nor many fill the memory.
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	var raw []json.RawMessage
	for n := range 1000 {
		key, err := json.Marshal(newSigner(0, fmt.Sprint("kid-", n)).published())
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, key)
	}
	body, err := json.Marshal(map[string]any{"keys": raw})
	if err != nil {
		t.Fatal(err)
	}
	keys, skipped, err := parseKeys(body)
	if err != nil || len(keys) != maxSetKeys || skipped != 1000-maxSetKeys {
		t.Errorf("%d keys, %d skipped, %v", len(keys), skipped, err)
	}

	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	for round := range 4 {
		var set []signer
		for n := range maxSetKeys {
			set = append(set, newSigner(0, fmt.Sprint("round-", round, "-", n)))
		}
		f.publish(set...)
		f.clock.Advance(time.Hour)
		f.signer = set[0]
		f.signedIn(t, p, f.oktaClaims())
		p.settle()
		f.signedIn(t, p, f.oktaClaims())
	}
	p.keys.mu.Lock()
	held := len(p.keys.keys)
	p.keys.mu.Unlock()
	if held > maxKeys {
		t.Errorf("%d keys are held", held)
	}

	f.answer("keys", endless)
	refused(t, f.forge(t, p, newSigner(1, "new"), f.oktaClaims()), CodeProviderUnavailable)
}

// B11: the keys are asked for without anything of anybody's.
func TestKeysAreAskedForWithoutCredentials(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{ClientSecret: "secret-canary"})
	var seen http.Header
	f.answer("keys", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		seen = r.Header.Clone()
		http.SetCookie(w, &http.Cookie{Name: "esctx", Value: "x"})
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": f.keys})
	})
	f.signedIn(t, p, f.oktaClaims())
	f.clock.Advance(time.Hour)
	f.signedIn(t, p, f.oktaClaims())
	p.settle()
	for name := range seen {
		switch name {
		case "Accept", "Accept-Encoding", "User-Agent":
		default:
			t.Errorf("the request for keys has the header %s", name)
		}
	}
}

func ecPublished(t *testing.T) map[string]any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{}.ec(key)
}
