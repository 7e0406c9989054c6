package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-jose/go-jose/v4"
)

// maxKeyFile bounds a file with a private key or a certificate, in bytes.
const maxKeyFile = 64 << 10

// clientKey is the private key that signs client assertions, and its certificate where the provider knows it
// by one.
type clientKey struct {
	private     crypto.Signer
	certificate *x509.Certificate
}

// readClientKey reads a key from a PEM file (PKCS #8, PKCS #1 or SEC 1), with its certificate when there is a
// file of that; the key may be in there too. Chains may follow the certificate.
func readClientKey(keyFile, certificateFile string) (*clientKey, error) {
	if keyFile == "" {
		keyFile = certificateFile
	}
	private, err := readPrivateKey(keyFile)
	if err != nil {
		return nil, err
	}
	key := &clientKey{private: private}
	if err := key.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	if certificateFile == "" {
		return key, nil
	}
	if key.certificate, err = readCertificate(certificateFile); err != nil {
		return nil, err
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.certificate.PublicKey) {
		return nil, fmt.Errorf("the certificate in %s is of another key than that in %s",
			certificateFile, keyFile)
	}
	return key, nil
}

func readPrivateKey(name string) (crypto.Signer, error) {
	text, err := readSmall(name, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("the private key in %s has a password", name)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the private key in %s cannot be read", name) // the cause could quote it
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	return nil, fmt.Errorf("%s holds no PEM private key for signatures", name)
}

func readCertificate(name string) (*x509.Certificate, error) {
	text, err := readSmall(name, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate in %s cannot be read: %w", name, reduced(err))
		}
		return certificate, nil
	}
	return nil, fmt.Errorf("%s holds no PEM certificate", name)
}

// readSmall reads a regular file of at most limit bytes. It looks before it opens: opening a pipe would wait
// for a writer.
func readSmall(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d KiB", name, limit>>10)
	}
	return text, nil
}

func (k *clientKey) check() error {
	if err := checkStrength(k.public()); err != nil {
		return err
	}
	if len(k.algorithms()) == 0 {
		return errors.New("no signature algorithm is for such a key")
	}
	return nil
}

// public is the public half, in the form in which published keys come.
func (k *clientKey) public() any { return k.private.Public() }

func (k *clientKey) isRSA() bool {
	_, ok := k.private.(*rsa.PrivateKey)
	return ok
}

// algorithms are those for such a key, the likeliest first (RFC 7518, section 3.1; RFC 8037).
func (k *clientKey) algorithms() []jose.SignatureAlgorithm {
	switch key := k.private.(type) {
	case *rsa.PrivateKey:
		return []jose.SignatureAlgorithm{
			jose.RS256, jose.PS256, jose.RS384, jose.RS512, jose.PS384, jose.PS512,
		}
	case ed25519.PrivateKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	}
	return nil
}

// thumbprint is x5t#S256: the SHA-256 of the certificate's DER, base64url.
func (k *clientKey) thumbprint() string {
	sum := sha256.Sum256(k.certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
