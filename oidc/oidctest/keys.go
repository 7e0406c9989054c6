package oidctest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is what both Okta and Entra sign with.
const keyBits = 2048

// Key is an RSA key that a double signs with or publishes.
type Key struct {
	ID          string
	Private     *rsa.PrivateKey
	Certificate *x509.Certificate // Entra publishes it as x5c
	Use         string            // sig (default) or enc

	// Issuer and CloudInstance limit whose tokens the key may sign, as Entra publishes it beside the key.
	// Issuer may hold the literal {tenantid}.
	Issuer        string
	CloudInstance string
}

// NewKey makes a key that no double knows, for tokens that must not verify. Its ID is the JWK thumbprint
// (RFC 7638), 43 characters as Okta's are.
func NewKey() (*Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generating an RSA key: %w", err)
	}
	jwk := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("computing the thumbprint of a key: %w", err)
	}
	return &Key{ID: base64.RawURLEncoding.EncodeToString(thumbprint), Private: private, Use: "sig"}, nil
}

// NewCertificate makes a key and a self-signed certificate for it, for a client that
// proves itself by certificate.
func NewCertificate(commonName string, now time.Time) (*Key, *x509.Certificate, error) {
	key, err := newCertifiedKey(commonName, now)
	if err != nil {
		return nil, nil, err
	}
	return key, key.Certificate, nil
}

// newCertifiedKey makes a key with the self-signed certificate that Entra publishes beside each of its keys;
// its ID is the certificate's SHA-1 thumbprint. The certificate is genuine because go-jose rejects a whole
// key set for one that is not.
func newCertifiedKey(commonName string, now time.Time) (*Key, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	if key.Certificate, err = selfSign(key.Private, commonName, now); err != nil {
		return nil, err
	}
	sum := sha1.Sum(key.Certificate.Raw)
	key.ID = base64.RawURLEncoding.EncodeToString(sum[:])
	return key, nil
}

// selfSign makes a certificate valid for the five years that Entra's are, from a day before now.
func selfSign(key *rsa.PrivateKey, commonName string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.AddDate(5, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", commonName, err)
	}
	return x509.ParseCertificate(der)
}

// JWK is the public half of the key as a JSON Web Key.
func (k *Key) JWK() jose.JSONWebKey {
	jwk := jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Use: k.Use}
	if k.Certificate != nil {
		sum := sha1.Sum(k.Certificate.Raw)
		jwk.Certificates = []*x509.Certificate{k.Certificate}
		jwk.CertificateThumbprintSHA1 = sum[:]
	}
	return jwk
}

// Keyring is the keys of one issuer: the one it signs with, those it publishes, and what goes
// wrong when they are fetched.
type Keyring struct {
	mu        sync.Mutex
	make      func() (*Key, error)
	published []*Key
	active    *Key
	next      *Key
	flapping  map[string]bool
	fetches   int
	cache     string
}

// newKeyring makes a ring whose first key is generated when it is first needed: most tests
// use one issuer of several.
func newKeyring(cacheControl string, makeKey func() (*Key, error), also ...*Key) *Keyring {
	return &Keyring{make: makeKey, published: also, flapping: map[string]bool{}, cache: cacheControl}
}

// Active is the key that the issuer signs with.
func (k *Keyring) Active() (*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ensure()
}

func (k *Keyring) ensure() (*Key, error) {
	if k.active == nil {
		key, err := k.make()
		if err != nil {
			return nil, err
		}
		k.active = key
		k.published = append([]*Key{key}, k.published...)
	}
	return k.active, nil
}

// PublishNext publishes the key that the next Rotate will sign with, as both providers do weeks ahead.
func (k *Keyring) PublishNext() (*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.ensure(); err != nil {
		return nil, err
	}
	return k.publishNext()
}

func (k *Keyring) publishNext() (*Key, error) {
	if k.next == nil {
		key, err := k.make()
		if err != nil {
			return nil, err
		}
		k.next = key
		k.published = append(k.published, key)
	}
	return k.next, nil
}

// Rotate signs with the next key from now on, one that PublishNext published or one that nobody has seen yet
// (an emergency rotation). The old key stays published until it is withdrawn.
func (k *Keyring) Rotate() (*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.ensure(); err != nil {
		return nil, err
	}
	next, err := k.publishNext()
	if err != nil {
		return nil, err
	}
	k.active, k.next = next, nil
	return next, nil
}

// Publish adds a key to the published set without signing with it.
func (k *Keyring) Publish(key *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published = append(k.published, key)
}

// Withdraw takes a key out of the published set.
func (k *Keyring) Withdraw(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published = slices.DeleteFunc(k.published, func(key *Key) bool { return key.ID == id })
}

// Flap makes a published key missing from every second fetch, the first one included, as Entra's front ends
// do that have not heard of it yet.
func (k *Keyring) Flap(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flapping[id] = true
	k.fetches = 0
}

// SetCacheControl changes the Cache-Control header of the key set; empty sends none.
func (k *Keyring) SetCacheControl(value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cache = value
}

// Published is the set that the next fetch would show, had no key flapped.
func (k *Keyring) Published() ([]*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.ensure(); err != nil {
		return nil, err
	}
	return slices.Clone(k.published), nil
}

// fetch is one GET of the key set: what it shows and how long it says that it may be kept.
func (k *Keyring) fetch() (keys []*Key, cacheControl string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.ensure(); err != nil {
		return nil, "", err
	}
	k.fetches++
	for _, key := range k.published {
		if k.flapping[key.ID] && k.fetches%2 == 1 {
			continue
		}
		keys = append(keys, key)
	}
	return keys, k.cache, nil
}
