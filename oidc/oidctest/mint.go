package oidctest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Claims is the payload of a token.
type Claims map[string]any

// With is a copy of the claims with one of them set; a nil value removes it.
func (c Claims) With(name string, value any) Claims {
	changed := maps.Clone(c)
	if value == nil {
		delete(changed, name)
	} else {
		changed[name] = value
	}
	return changed
}

// SignOption changes how Sign makes a token.
type SignOption func(*signing)

type signing struct {
	algorithm jose.SignatureAlgorithm
	header    map[string]any
	kid       *string
	key       any // instead of the private key
}

// Header sets a header parameter; alg and kid have options of their own.
func Header(name string, value any) SignOption {
	return func(s *signing) { s.header[name] = value }
}

// KeyID claims another key than the one that signs; empty leaves kid out.
func KeyID(kid string) SignOption { return func(s *signing) { s.kid = &kid } }

// Algorithm signs with another algorithm than RS256 that suits an RSA key, such as PS256.
func Algorithm(algorithm jose.SignatureAlgorithm) SignOption {
	return func(s *signing) { s.algorithm = algorithm }
}

// Unsigned makes a token with alg none and an empty signature.
func Unsigned() SignOption { return func(s *signing) { s.algorithm = "none" } }

// HMACWithPublicKey signs with HS256 and the PEM of the public key as the secret: what a verifier accepts
// that lets the token choose the algorithm.
func HMACWithPublicKey(key *Key) SignOption {
	return func(s *signing) {
		der, err := x509.MarshalPKIXPublicKey(key.Private.Public())
		if err != nil {
			panic(fmt.Sprintf("oidctest: encoding an RSA public key: %v", err))
		}
		s.algorithm = jose.HS256
		s.key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
}

// HMACWithSecret signs with HS256 and a secret, as client_secret_jwt does.
func HMACWithSecret(secret string) SignOption {
	return func(s *signing) { s.algorithm, s.key = jose.HS256, []byte(secret) }
}

// Sign makes a compact JWS of any claims with any key, for tests that need a token which no provider would
// issue. It panics on claims that are not JSON, which only the test that wrote them can mend.
func Sign(key *Key, claims Claims, options ...SignOption) string {
	token, err := sign(key, claims, options...)
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}

func sign(key *Key, claims Claims, options ...SignOption) (string, error) {
	s := signing{algorithm: jose.RS256, header: map[string]any{}}
	for _, option := range options {
		option(&s)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	if s.algorithm == "none" {
		return s.unsigned(payload)
	}
	if s.key == nil {
		s.key = key.Private
	}
	kid := ""
	if key != nil {
		kid = key.ID
	}
	if s.kid != nil {
		kid = *s.kid
	}
	signerOptions := &jose.SignerOptions{}
	if kid != "" {
		signerOptions.WithHeader("kid", kid) // a JSONWebKey would not name a symmetric key
	}
	for name, value := range s.header {
		signerOptions.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.key}, signerOptions)
	if err != nil {
		return "", fmt.Errorf("making a %s signer: %w", s.algorithm, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return jws.CompactSerialize()
}

func (s signing) unsigned(payload []byte) (string, error) {
	s.header["alg"] = "none"
	if s.kid != nil {
		s.header["kid"] = *s.kid
	}
	header, err := json.Marshal(s.header)
	if err != nil {
		return "", fmt.Errorf("encoding a header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(header) + "." +
		base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}

// Decode reads the claims of a compact JWS without verifying anything.
func Decode(token string) (header map[string]any, claims Claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("a compact JWS has 3 parts, this has %d", len(parts))
	}
	for i, into := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, nil, fmt.Errorf("decoding part %d of a token: %w", i+1, err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, nil, fmt.Errorf("reading part %d of a token: %w", i+1, err)
		}
	}
	return header, claims, nil
}
