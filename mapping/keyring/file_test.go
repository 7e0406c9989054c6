package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// S11: no ring, no start; and the error says what to do.
func TestLoadSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		file []byte
		says string
	}{
		"empty":      {nil, "it is empty"},
		"blank":      {[]byte(" \n\t"), "it is empty"},
		"not JSON":   {[]byte("canary: secret"), "not a Tink keyset"},
		"cut short":  {good[:len(good)/2], "cut short"},
		"no keys":    {[]byte(`{"primaryKeyId":1,"key":[]}`), "not a Tink keyset"},
		"other JSON": {[]byte(`{"canary":"secret"}`), "not a Tink keyset"},
		"too long":   {append(bytes.Repeat([]byte(" "), maxFileBytes), good...), "longer than 64 KiB"},
		"other kind": {plainAEAD(t), "not for deriving"},
		"damaged secret": {
			bytes.Replace(good, []byte(`"value":"`), []byte(`"value":"AAAA`), 1), "not a usable key ring",
		},
		"no primary": {
			bytes.Replace(good, []byte(`"primaryKeyId":`), []byte(`"primaryKeyId":1`), 1),
			"not a usable key ring",
		},
		"disabled": {
			bytes.Replace(good, []byte("ENABLED"), []byte("DISABLED"), 1), "not a usable key ring",
		},
		"twice in a file": {append(bytes.Clone(good), good...), "not a Tink keyset"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(test.file)
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range []string{test.says, "restore the file"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "generate") { // what the right ring sealed would be lost
				t.Errorf("%q advises to make a new one", err)
			}
			if strings.Contains(err.Error(), "canary") { // S2
				t.Errorf("%q quotes the file", err)
			}
			if _, err := Rotate(test.file); err == nil && name != "other kind" {
				t.Error("rotated")
			}
		})
	}
}

// plainAEAD is a good Tink keyset of the wrong kind.
func plainAEAD(t *testing.T) []byte {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&file)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	good, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for mode, exposed := range map[os.FileMode]bool{
		0o400: false, 0o600: false, 0o440: false, 0o644: true, 0o660: true, 0o604: true,
	} {
		path := filepath.Join(t.TempDir(), "ring.json")
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		r, err := LoadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if r.Exposed() != exposed {
			t.Errorf("%v: exposed is %v", mode, r.Exposed())
		}
	}

	_, err = LoadFile(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "none.json") ||
		!strings.Contains(err.Error(), "vexa-sso keyring generate") {
		t.Errorf("a missing file: %v", err)
	}
}
