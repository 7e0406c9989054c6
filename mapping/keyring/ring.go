package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrNotSealedByThisRing means that no key of the ring opens the value: another ring sealed it, or this one
// did for another purpose or other associated data, or it was tampered with.
var ErrNotSealedByThisRing = errors.New("not sealed by this key ring, for this purpose, in this place")

// Ring seals and opens. It is safe for concurrent use; its keys are derived when it is loaded, so both are
// cheap.
type Ring struct {
	keys atomic.Pointer[ringKeys] // exchanged as a whole by Replace
}

// ringKeys are what is derived from one file.
type ringKeys struct {
	seals   map[Purpose]tink.AEAD // of Seal and Open
	cookies map[Purpose]tink.AEAD // of Codec
	prefix  []byte                // of all that the primary key seals
	ids     []string
	tinkIDs []uint32 // as the file and what is sealed name them
	exposed bool
}

// newRing derives the keys of every purpose from the secrets of a keyset.
func newRing(secrets *keyset.Handle) (*Ring, error) {
	deriver, err := keyderivation.New(secrets)
	if err != nil {
		return nil, errors.New("its keys are not for deriving AES-256-GCM keys")
	}
	k := &ringKeys{seals: map[Purpose]tink.AEAD{}, cookies: map[Purpose]tink.AEAD{}}
	for _, p := range purposes {
		if k.seals[p], err = deriveAEAD(deriver, "seal/"+string(p)); err != nil {
			return nil, err
		}
		if k.cookies[p], err = deriveAEAD(deriver, "cookie/"+string(p)); err != nil {
			return nil, err
		}
	}
	if k.ids, err = fingerprints(deriver); err != nil {
		return nil, err
	}
	k.prefix = binary.BigEndian.AppendUint32([]byte{cryptofmt.TinkStartByte},
		secrets.KeysetInfo().GetPrimaryKeyId())
	for _, info := range secrets.KeysetInfo().GetKeyInfo() {
		k.tinkIDs = append(k.tinkIDs, info.GetKeyId())
	}
	r := &Ring{}
	r.keys.Store(k)
	return r, nil
}

// deriveAEAD derives one key of that label from every secret.
func deriveAEAD(deriver keyderivation.KeysetDeriver, label string) (tink.AEAD, error) {
	keys, err := deriver.DeriveKeyset([]byte("vexa-sso/" + label))
	if err != nil {
		return nil, fmt.Errorf("deriving its keys for %s: %w", label, err)
	}
	a, err := aead.New(keys)
	if err != nil {
		return nil, fmt.Errorf("using its keys for %s: %w", label, err)
	}
	return a, nil
}

// fingerprints returns one for each secret, that of the primary first. A fingerprint is a hash of a key that
// is derived for nothing else: it tells nothing about the others.
func fingerprints(deriver keyderivation.KeysetDeriver) ([]string, error) {
	handle, err := deriver.DeriveKeyset([]byte("vexa-sso/fingerprint"))
	if err != nil {
		return nil, fmt.Errorf("deriving its fingerprints: %w", err)
	}
	keys := insecurecleartextkeyset.KeysetMaterial(handle)
	var primary, older []string
	for _, k := range keys.GetKey() {
		sum := sha256.Sum256(k.GetKeyData().GetValue())
		id := hex.EncodeToString(sum[:8])
		if k.GetKeyId() == keys.GetPrimaryKeyId() {
			primary = append(primary, id)
		} else {
			older = append(older, id)
		}
	}
	return append(primary, older...), nil
}

// Seal encrypts plaintext for purpose p, in the place that associatedData names. It needs the same two to be
// opened.
func (r *Ring) Seal(p Purpose, plaintext, associatedData []byte) ([]byte, error) {
	return seal(r.keys.Load().seals, p, plaintext, associatedData)
}

// Open returns what was sealed, or an error that wraps [ErrNotSealedByThisRing] and says which key this ring
// lacks, where it lacks one.
func (r *Ring) Open(p Purpose, sealed, associatedData []byte) ([]byte, error) {
	k := r.keys.Load()
	plaintext, err := open(k.seals, p, sealed, associatedData)
	if errors.Is(err, ErrNotSealedByThisRing) {
		if id, lacks := k.lacks(sealed); lacks {
			return nil, fmt.Errorf("%w: keyring_file, whose keys are %s, lacks the one with \"keyId\": %d", err,
				strings.Join(k.ids, " and "), id)
		}
	}
	return plaintext, err
}

// lacks returns the id, in the file of its ring, of the key that sealed a value, if it is none of these.
func (k *ringKeys) lacks(sealed []byte) (id uint32, lacks bool) {
	if len(sealed) < cryptofmt.NonRawPrefixSize || sealed[0] != cryptofmt.TinkStartByte {
		return 0, false
	}
	id = binary.BigEndian.Uint32(sealed[1:])
	return id, !slices.Contains(k.tinkIDs, id)
}

// Stale says whether another key than the primary sealed a value: an older one of this ring, or one that it
// has not got. It does not open the value.
func (r *Ring) Stale(sealed []byte) bool { return !bytes.HasPrefix(sealed, r.keys.Load().prefix) }

// ID returns the fingerprint of the primary key: 16 hexadecimal digits that are safe to log and to store.
func (r *Ring) ID() string { return r.keys.Load().ids[0] }

// IDs returns the fingerprints of all keys, that of the primary first.
func (r *Ring) IDs() []string { return append([]string(nil), r.keys.Load().ids...) }

// SameKeys says whether two rings have the same keys, whichever of them seals.
func SameKeys(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Exposed says whether the file that the ring was loaded from may be read by every user of the machine, or
// changed by others than its owner.
func (r *Ring) Exposed() bool { return r.keys.Load().exposed }

// Replace has the ring seal and open with the keys of another from now on: what a running server does when
// its file was changed. The other must have the key with which this one seals, or nothing of what is stored
// could be opened any more.
func (r *Ring) Replace(by *Ring) error {
	if !slices.Contains(by.keys.Load().ids, r.ID()) {
		return fmt.Errorf("the key %s, with which everything is sealed now, is not in the new key ring", r.ID())
	}
	r.keys.Store(by.keys.Load())
	return nil
}

func seal(keys map[Purpose]tink.AEAD, p Purpose, plaintext, associatedData []byte) ([]byte, error) {
	key, ok := keys[p]
	if !ok {
		return nil, fmt.Errorf("sealing: there is no purpose %q", p)
	}
	sealed, err := key.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("sealing for %s: %w", p, err)
	}
	return sealed, nil
}

func open(keys map[Purpose]tink.AEAD, p Purpose, sealed, associatedData []byte) ([]byte, error) {
	key, ok := keys[p]
	if !ok {
		return nil, fmt.Errorf("opening: there is no purpose %q", p)
	}
	plaintext, err := key.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, fmt.Errorf("opening for %s: %w", p, ErrNotSealedByThisRing)
	}
	return plaintext, nil
}
