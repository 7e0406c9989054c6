package mapping_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"vexa-sso/mapping"
)

// vector is a value that was made once and must be understood for ever.
type vector struct {
	Prefix string `json:"prefix"`
	Random string `json:"random"` // 32 bytes, in hexadecimal
	Value  string `json:"value"`
	SHA256 string `json:"sha256"`
}

func TestTokenValueVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/token_values.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		random, err := hex.DecodeString(v.Random)
		if err != nil || len(random) != 32 {
			t.Fatalf("%d random bytes, %v", len(random), err)
		}
		if value, err := mapping.NewTokenValue(bytes.NewReader(random), v.Prefix); err != nil ||
			value != v.Value {
			t.Errorf("made %q, %v; want %q", value, err, v.Value)
		}
		hash, ok := mapping.ParseTokenValue(v.Prefix, v.Value)
		if got := hex.EncodeToString(hash[:]); !ok || got != v.SHA256 {
			t.Errorf("%s: %v, %s", v.Value, ok, got)
		}
	}
}

// The shape is one that scanners of secrets can be told in one line.
func TestTokenValueShape(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^vss[or]_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for _, prefix := range []string{mapping.AccessValue, mapping.RefreshValue} {
		for range 200 {
			value, err := mapping.NewTokenValue(rand.Reader, prefix)
			if err != nil || !shape.MatchString(value) || !strings.HasPrefix(value, prefix) || seen[value] {
				t.Fatalf("%q, %v", value, err)
			}
			seen[value] = true
			if hash, ok := mapping.ParseTokenValue(prefix, value); !ok ||
				hash != sha256.Sum256([]byte(value)) {
				t.Fatalf("%q is not understood", value)
			}
		}
	}
	if _, err := mapping.NewTokenValue(iotest.ErrReader(os.ErrClosed), mapping.AccessValue); err == nil {
		t.Error("made without randomness")
	}
}

func TestTokenValueIsRefused(t *testing.T) {
	t.Parallel()
	good, err := mapping.NewTokenValue(rand.Reader, mapping.AccessValue)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"empty": "", "prefix alone": mapping.AccessValue, "short": good[:len(good)-1],
		"long": good + "0", "with a space": good + " ",
		"other prefix": "vssr_" + good[5:], "capital prefix": "VSSO_" + good[5:],
		"a Vexa key": "vxa_bot_Zk3dQ0Vn8sYpR1tLw5uXa7bC2eF4gH6j",
		"NUL":        good[:20] + "\x00" + good[21:], "a dash": good[:20] + "-" + good[21:],
		"another alphabet": good[:20] + "é" + good[22:],
		"a megabyte":       good + strings.Repeat("a", 1<<20), "dots": strings.Repeat(".", 1_000_000),
	}
	for what, value := range refused {
		if _, ok := mapping.ParseTokenValue(mapping.AccessValue, value); ok {
			t.Errorf("%s: taken", what)
		}
	}
	// around the digits and letters, and with the right sum
	for _, odd := range []string{"-", " ", "\x00", "\xff", "/", ":", "@", "[", "`", "{"} {
		body := good[:20] + odd + good[21:48]
		if _, ok := mapping.ParseTokenValue(mapping.AccessValue,
			body+sum62(crc32.ChecksumIEEE([]byte(body)))); ok {
			t.Errorf("%q: taken", odd)
		}
	}
	if _, ok := mapping.ParseTokenValue("", good); ok {
		t.Error("taken without a prefix")
	}
	// A slip of the pen is noticed anywhere.
	for i := len(mapping.AccessValue); i < len(good); i++ {
		other := byte('a')
		if good[i] == other {
			other = 'b'
		}
		if _, ok := mapping.ParseTokenValue(mapping.AccessValue, good[:i]+string(other)+good[i+1:]); ok {
			t.Errorf("character %d may be another", i)
		}
	}
}

// S12: to look at a value costs no memory, whatever it is.
func TestTokenValueCostsNothing(t *testing.T) {
	good, err := mapping.NewTokenValue(rand.Reader, mapping.AccessValue)
	if err != nil {
		t.Fatal(err)
	}
	for what, value := range map[string]string{
		"good": good, "typo": good[:len(good)-1] + "-", "a megabyte": strings.Repeat("a", 1<<20),
		"right length": strings.Repeat("v", len(good)),
	} {
		if n := testing.AllocsPerRun(100, func() {
			mapping.ParseTokenValue(mapping.AccessValue, value)
		}); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func FuzzParseTokenValue(f *testing.F) {
	good, err := mapping.NewTokenValue(bytes.NewReader(make([]byte, 32)), mapping.AccessValue)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good[:53], "", "vsso_", "vssr_" + good[5:], strings.Repeat("0", 54)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, prefix := range []string{mapping.AccessValue, mapping.RefreshValue} {
			hash, ok := mapping.ParseTokenValue(prefix, s)
			if !ok {
				if hash != [32]byte{} {
					t.Error("refused, with a hash")
				}
				continue
			}
			if len(s) != 54 || s[:5] != prefix || hash != sha256.Sum256([]byte(s)) ||
				sum62(crc32.ChecksumIEEE([]byte(s[:48]))) != s[48:] {
				t.Errorf("taken: %q", s)
			}
		}
	})
}

func sum62(crc uint32) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := []byte("000000")
	for i := 5; i >= 0; i-- {
		sum[i] = digits[crc%62]
		crc /= 62
	}
	return string(sum)
}
