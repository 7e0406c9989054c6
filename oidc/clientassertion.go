package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// assertionType is that of RFC 7523, section 2.2.
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLife is how long one of our assertions is good. Okta takes an hour at most, Entra advises ten
	// minutes.
	assertionLife = 5 * time.Minute
	// maxFederatedToken bounds a platform's token, in bytes.
	maxFederatedToken = 32 << 10
)

// assert puts a client assertion into a request (RFC 7521, section 4.2).
func assert(request *clientcredentials.Config, assertion string) {
	request.EndpointParams.Set("client_assertion_type", assertionType)
	request.EndpointParams.Set("client_assertion", assertion)
}

// keyCredential signs an assertion for each request (private_key_jwt; RFC 7523, section 3). The key, and the
// certificate, are read again each time, so that one can be replaced without a restart; files that are half
// written leave the one before in use.
type keyCredential struct {
	cfg     Config
	dialect dialect
	now     func() time.Time
	rand    io.Reader
	log     *slog.Logger

	mu  sync.Mutex
	key *clientKey
}

// keyRemedy is for files of the client key that cannot be read, at first or again.
const keyRemedy = "Make private_key_file and certificate_file readable, and of the same key."

func (k *keyCredential) authenticate(doc *document, request *clientcredentials.Config) error {
	key, err := k.current()
	if err != nil {
		return misconfigured(keyRemedy, fmt.Errorf("reading the client's key: %w", err))
	}
	assertion, err := k.sign(doc, key, request.TokenURL)
	if err != nil {
		return misconfigured("Use a key of a type that the provider takes.",
			fmt.Errorf("signing a client assertion: %w", err))
	}
	assert(request, assertion)
	return nil
}

func (k *keyCredential) current() (*clientKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := readClientKey(k.cfg.PrivateKeyFile, k.cfg.CertificateFile)
	switch {
	case err == nil:
		k.key = key
	case k.key == nil:
		return nil, err
	default:
		k.log.Warn("client key not read again: the one read before stays in use", "error", err,
			"remedy", keyRemedy)
	}
	return k.key, nil
}

func (k *keyCredential) sign(doc *document, key *clientKey, endpoint string) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(k.rand, id); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	possible := key.algorithms()
	if len(possible) == 0 {
		return "", errors.New("no signature algorithm is for such a key")
	}
	algorithm := k.dialect.assertionAlgorithm(doc, possible)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key.private}, k.header(key))
	if err != nil {
		return "", err
	}
	now := k.now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:    k.cfg.ClientID,
		Subject:   k.cfg.ClientID,
		Audience:  jwt.Audience{endpoint}, // Okta takes nothing but the endpoint that is called
		ID:        base64.RawURLEncoding.EncodeToString(id),
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
}

// header names the key by the thumbprint of its certificate (x5t#S256; RFC 7515, section 4.1.8) or by its
// kid. Without either the provider must know only one key.
func (k *keyCredential) header(key *clientKey) *jose.SignerOptions {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.cfg.KeyID != "" {
		options.WithHeader("kid", k.cfg.KeyID)
	}
	if key.certificate != nil {
		options.WithHeader("x5t#S256", key.thumbprint())
	}
	return options
}

// federatedCredential is workload identity federation (Entra ID; RFC 7521, section 4.2): the client assertion
// is a token that the platform issues to this workload, so that no secret is configured. The platform
// replaces its file at any time.
type federatedCredential struct{ file string }

func (f federatedCredential) authenticate(_ *document, request *clientcredentials.Config) error {
	token, err := readFederatedToken(f.file)
	if err != nil {
		return misconfigured("Look at what writes federated_token_file: the platform's workload identity.",
			err)
	}
	assert(request, token)
	return nil
}

func readFederatedToken(name string) (string, error) {
	text, err := readSmall(name, maxFederatedToken)
	if err != nil {
		return "", fmt.Errorf("reading the federated token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if strings.Count(token, ".") != 2 || strings.ContainsAny(token, " \r\n\t") {
		return "", errors.New("the federated token is not a signed token")
	}
	return token, nil
}
