package keyring

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// maxFileBytes bounds a key ring file: a key takes about 300 bytes, so this is two hundred rotations.
const maxFileBytes = 64 << 10

// Generate makes a new ring with one key and returns its file.
func Generate() ([]byte, error) {
	return addPrimary(keyset.NewManager())
}

// Rotate returns the file of a ring with a new primary key. The keys that were in it stay, to open what they
// sealed.
func Rotate(ring []byte) ([]byte, error) {
	handle, err := parse(ring)
	if err != nil {
		return nil, err
	}
	return addPrimary(keyset.NewManagerFromHandle(handle))
}

// Add returns the file of a ring with a new key, which only opens until it is promoted, and that key's
// fingerprint. A ring has one such key at a time.
func Add(ring []byte) (file []byte, id string, err error) {
	handle, err := parse(ring)
	if err != nil {
		return nil, "", err
	}
	old, err := Load(ring)
	if err != nil {
		return nil, "", err
	}
	if next := nextKey(handle); next != nil {
		return nil, "", errors.New("it has a key that was added and not promoted yet: " +
			"`vexa-sso keyring promote` has it seal")
	}
	template, err := keyTemplate()
	if err != nil {
		return nil, "", err
	}
	m := keyset.NewManagerFromHandle(handle)
	if _, err := m.Add(template); err != nil {
		return nil, "", fmt.Errorf("making a key: %w", err)
	}
	if file, err = written(m); err != nil {
		return nil, "", err
	}
	added, err := Load(file)
	if err != nil {
		return nil, "", err
	}
	for _, one := range added.IDs() {
		if !slices.Contains(old.IDs(), one) {
			id = one
		}
	}
	return file, id, nil
}

// Promote returns the file of a ring whose added key seals from now on, and that key's fingerprint.
func Promote(ring []byte) (file []byte, id string, err error) {
	handle, err := parse(ring)
	if err != nil {
		return nil, "", err
	}
	next := nextKey(handle)
	if next == nil {
		return nil, "", errors.New("there is no key in it that was added and not promoted yet: " +
			"`vexa-sso keyring add` adds one")
	}
	m := keyset.NewManagerFromHandle(handle)
	if err := m.SetPrimary(next.GetKeyId()); err != nil {
		return nil, "", fmt.Errorf("promoting the key: %w", err)
	}
	if file, err = written(m); err != nil {
		return nil, "", err
	}
	promoted, err := Load(file)
	if err != nil {
		return nil, "", err
	}
	return file, promoted.ID(), nil
}

// nextKey returns the key that was added after the primary; nil if there is none. New keys come last.
func nextKey(handle *keyset.Handle) *tinkpb.KeysetInfo_KeyInfo {
	keys := handle.KeysetInfo().GetKeyInfo()
	if last := keys[len(keys)-1]; last.GetKeyId() != handle.KeysetInfo().GetPrimaryKeyId() {
		return last
	}
	return nil
}

// Load reads a ring from the bytes of its file. The errors say what is wrong with them, and never quote them.
func Load(ring []byte) (*Ring, error) {
	handle, err := parse(ring)
	if err != nil {
		return nil, err
	}
	r, err := newRing(handle)
	if fips140.Enforced() && err != nil {
		return nil, fmt.Errorf("its keys cannot be used in this mode of FIPS 140: %w: run with "+
			"GODEBUG=fips140=on in place of only, which forbids AES-GCM with a nonce from outside the module; "+
			"leave the file as it is", err)
	}
	if err != nil {
		return nil, unusable(err)
	}
	return r, nil
}

// LoadFile reads the ring in the file at path. It does not insist on the file's mode: a Kubernetes secret is
// mounted 0644 unless the pod says otherwise, and there it is private to the container. Ask [Ring.Exposed]
// whether to warn.
func LoadFile(path string) (*Ring, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key ring file %s: make one with `vexa-sso keyring generate`, "+
			"and keep it with your secrets", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the key ring file: %w", err)
	}
	defer f.Close()

	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the key ring file %s: %w", path, err)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the key ring file %s: %w", path, err)
	}
	r, err := Load(content)
	if err != nil {
		return nil, fmt.Errorf("the key ring file %s: %w", path, err)
	}
	r.keys.Load().exposed = exposed(info.Mode())
	return r, nil
}

// exposed says whether a mode lets anybody but the owner and the group read, or anybody but the owner write.
func exposed(mode fs.FileMode) bool { return mode.Perm()&0o026 != 0 }

// addPrimary adds a key to the ring under way, makes it the primary and returns the ring's file.
func addPrimary(m *keyset.Manager) ([]byte, error) {
	template, err := keyTemplate()
	if err != nil {
		return nil, err
	}
	id, err := m.Add(template)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("making the new key the primary: %w", err)
	}
	return written(m)
}

// written returns the file of the ring under way.
func written(m *keyset.Manager) ([]byte, error) {
	handle, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("completing the key ring: %w", err)
	}
	var file bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&file)); err != nil {
		return nil, fmt.Errorf("writing the key ring: %w", err)
	}
	file.WriteByte('\n')
	return file.Bytes(), nil
}

// keyTemplate describes the keys of a ring: secrets for HKDF-SHA256 from which AES-256-GCM keys are derived.
func keyTemplate() (*tinkpb.KeyTemplate, error) {
	template, err := keyderivation.CreatePRFBasedKeyTemplate(prf.HKDFSHA256PRFKeyTemplate(),
		aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("describing a key: %w", err)
	}
	return template, nil
}

// parse reads the Tink keyset of a file. What Tink's parser says about a file that is no keyset may quote it,
// so that is not passed on.
func parse(ring []byte) (*keyset.Handle, error) {
	if len(bytes.TrimSpace(ring)) == 0 {
		return nil, unusable(errors.New("it is empty"))
	}
	if len(ring) > maxFileBytes {
		return nil, unusable(fmt.Errorf("it is longer than %d KiB", maxFileBytes>>10))
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(ring)))
	if err != nil {
		return nil, unusable(errors.New("it is not a Tink keyset in JSON, or it is cut short"))
	}
	return handle, nil
}

// unusable says what is wrong with a ring and what to do about it.
func unusable(err error) error {
	return fmt.Errorf("not a usable key ring: %w: restore the file from where you keep your secrets, or name "+
		"the right one in keyring_file", err)
}
