package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysFresh = time.Hour       // published keys are read again in passing after this
	keyLife   = 24 * time.Hour  // a key serves this long after it was last published
	missPause = 5 * time.Minute // between fetches for tokens that no known key signed

	maxSetKeys = 64  // read of one published set
	maxKeys    = 128 // held in all

	minRSABits, maxRSABits = 2048, 8192
)

// errNoKey: none of the known keys signed the token.
var errNoKey = errors.New("no key that the provider publishes has signed the token")

// errUnnamedKey: the token has no kid, and several keys could have signed it (OpenID Connect Core 1.0,
// section 10.1).
var errUnnamedKey = errors.New("the token does not say which of the provider's keys signed it")

// publicKey is one published signing key.
type publicKey struct {
	jose.JSONWebKey
	id     string // kid and thumbprint: a kid that returns with other key material is another key
	issuer string // Entra: whose tokens the key may sign; may hold {tenantid}
	cloud  string // Entra: cloud_instance_name
	seen   time.Time
	set    int // the number of the fetch that last had it
}

// keySet holds a provider's signing keys, each for a day after it was last published. A fetch adds to what is
// known and takes nothing away: Entra's front ends do not agree, from one minute to the next, about which
// keys there are. A key that the provider withdraws is therefore trusted for up to a day more.
//
// Strangers can make up tokens whose key is unknown or whose signature is bad; however many they send, they
// cause one fetch in five minutes.
type keySet struct {
	name   string // of its fetches in the background; differs between the key sets of a provider
	client *http.Client
	work   *background
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	keys    map[string]publicKey // by id
	fetched time.Time            // when a fetch last worked
	sets    int                  // how many fetches have worked
	missed  time.Time            // when a token last caused a fetch that did not help it
	backoff backoff
}

// verify returns the payload of a token that one of the keys at url signed, and that this key may sign. Which
// algorithms are allowed was decided when the token was parsed.
func (s *keySet) verify(
	ctx context.Context, url string, token *jose.JSONWebSignature, fits func(publicKey, []byte) error,
) ([]byte, error) {
	waited, err := s.ready(ctx, url)
	if err != nil {
		return nil, err
	}
	payload, err := s.try(token, fits)
	if !errors.Is(err, errNoKey) {
		return payload, err
	}
	if waited {
		s.recordMiss()
		return nil, err
	}
	if err := await(ctx, s.work.singleFlight(s.name, func(ctx context.Context) error {
		return s.fetchForMiss(ctx, url)
	})); err != nil {
		return nil, err
	}
	payload, err = s.try(token, fits)
	if !errors.Is(err, errNoKey) {
		s.clearMiss()
		return payload, err
	}
	return nil, s.noKey()
}

// ready fetches the keys if that is due, and waits for it only when there are none.
func (s *keySet) ready(ctx context.Context, url string) (waited bool, err error) {
	have, due, refusal := s.look()
	switch {
	case refusal != nil:
		return false, refusal
	case have && !due:
		return false, nil
	}
	done := s.work.singleFlight(s.name, func(ctx context.Context) error { return s.refresh(ctx, url) })
	if have {
		return false, nil
	}
	return true, await(ctx, done)
}

// look says whether there are keys, whether reading them again is due, and the refusal when there are none
// and it is not.
func (s *keySet) look() (have, due bool, refusal *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, key := range s.keys {
		have = have || now.Sub(key.seen) < keyLife
	}
	if have && now.Sub(s.fetched) < keysFresh {
		return true, false, nil
	}
	due = s.backoff.wait(now) == 0
	if !have && !due {
		return false, false, s.backoff.refusal(now)
	}
	return have, due, nil
}

// try finds the key that signed the token.
func (s *keySet) try(token *jose.JSONWebSignature, fits func(publicKey, []byte) error) ([]byte, error) {
	candidates, err := s.candidates(token.Signatures[0].Header)
	if err != nil {
		return nil, err
	}
	refusal := errNoKey
	for _, key := range candidates {
		payload, err := token.Verify(key.Key)
		if err != nil {
			continue
		}
		if refusal = fits(key, payload); refusal == nil {
			return payload, nil
		}
	}
	return nil, refusal
}

// candidates are the keys that the header names: by kid, or, without one, the only one of its kind in the set
// as it was last published.
func (s *keySet) candidates(header jose.Header) ([]publicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var found []publicKey
	for _, key := range s.keys {
		switch {
		case now.Sub(key.seen) >= keyLife:
		case header.KeyID != "" && header.KeyID != key.KeyID:
		case header.KeyID == "" && key.set != s.sets:
		case key.Algorithm != "" && key.Algorithm != header.Algorithm:
		case !isFor(key.Key, header.Algorithm):
		default:
			found = append(found, key)
		}
	}
	if header.KeyID == "" && len(found) > 1 {
		return nil, errUnnamedKey
	}
	return found, nil
}

// isFor says whether a public key is of the type that an algorithm signs with (RFC 7518, section 3.1; RFC
// 8037, section 3.1).
func isFor(key any, algorithm string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

// recordMiss notes that a fetch did not bring the key of the token that caused it: the next such fetch is
// missPause away.
func (s *keySet) recordMiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = s.now()
}

// clearMiss notes that it did. The provider is rotating its keys, and the next token may need another fetch
// at once.
func (s *keySet) clearMiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = time.Time{}
}

// noKey is the refusal of a token that no key signed: for good, or for now when the keys could not be read.
func (s *keySet) noKey() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backoff.err == nil {
		return errNoKey
	}
	e := *s.backoff.err
	e.RetryAfter = max(0, s.missed.Add(missPause).Sub(s.now()))
	return &e
}

// refresh reads the keys if that is still due.
func (s *keySet) refresh(ctx context.Context, url string) error {
	if _, due, refusal := s.look(); refusal != nil {
		return refusal
	} else if !due {
		return nil // a fetch ended between our caller's look and this one
	}
	return s.fetch(ctx, url)
}

// fetchForMiss reads the keys for a token that none of them signed, if five minutes have passed since the
// last time that was in vain.
func (s *keySet) fetchForMiss(ctx context.Context, url string) error {
	s.mu.Lock()
	early := s.now().Sub(s.missed) < missPause
	if !early {
		s.missed = s.now()
	}
	s.mu.Unlock()
	if early {
		return nil
	}
	return s.fetch(ctx, url)
}

func (s *keySet) fetch(ctx context.Context, url string) error {
	published, err := s.download(ctx, url)

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err != nil {
		s.backoff.failed(now, err)
		s.log.Warn("signing keys not read: retried when a token needs them",
			"url", url, "error", err, "remedy", err.Remedy, "failures", s.backoff.failures,
			"have_keys", len(s.keys))
		return err
	}
	s.backoff.succeeded()
	s.fetched = now
	s.sets++
	for _, key := range published {
		key.seen, key.set = now, s.sets
		s.keys[key.id] = key
	}
	s.forget(now)
	return nil
}

// forget drops what has expired, and the longest unseen of what is too much.
func (s *keySet) forget(now time.Time) {
	for id, key := range s.keys {
		if now.Sub(key.seen) >= keyLife {
			delete(s.keys, id)
		}
	}
	for len(s.keys) > maxKeys {
		oldest := ""
		for id, key := range s.keys {
			if oldest == "" || key.seen.Before(s.keys[oldest].seen) {
				oldest = id
			}
		}
		delete(s.keys, oldest)
	}
}

func (s *keySet) download(ctx context.Context, url string) ([]publicKey, *Error) {
	res, err := get(ctx, s.client, url, nil)
	if err != nil {
		return nil, unreachable("reading the provider's signing keys", err)
	}
	if res.status != http.StatusOK {
		cause := fmt.Errorf("%s answered %d", url, res.status)
		return nil, unavailable(cause, retryAfter(res.header, s.now()))
	}
	keys, skipped, err := parseKeys(res.body)
	if err != nil {
		return nil,
			unavailable(fmt.Errorf("reading the provider's signing keys at %s: %w", url, reduced(err)), 0)
	}
	if skipped > 0 {
		s.log.Debug("published keys passed over: no use for signatures", "url", url, "skipped", skipped)
	}
	return keys, nil
}

// parseKeys reads a JSON Web Key Set (RFC 7517, section 5). A key that cannot be used is passed over, as
// section 5 asks; a set of none but these is an error.
func parseKeys(body []byte) (keys []publicKey, skipped int, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, 0, err
	}
	for i, raw := range set.Keys {
		if i == maxSetKeys {
			skipped += len(set.Keys) - maxSetKeys
			break
		}
		if key, err := parseKey(raw); err == nil {
			keys = append(keys, key)
		} else {
			skipped++
		}
	}
	if len(keys) == 0 {
		return nil, skipped, fmt.Errorf("none of the %d keys can verify a signature", skipped)
	}
	return keys, skipped, nil
}

func parseKey(raw json.RawMessage) (publicKey, error) {
	var entra struct {
		Issuer string `json:"issuer"`
		Cloud  string `json:"cloud_instance_name"`
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(raw, &entra); err != nil {
		return publicKey{}, err
	}
	if err := json.Unmarshal(raw, &key); err != nil {
		return publicKey{}, err
	}
	if key.Use != "" && key.Use != "sig" {
		return publicKey{}, errors.New("the key is not for signatures")
	}
	if err := checkStrength(key.Key); err != nil {
		return publicKey{}, err
	}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return publicKey{}, err
	}
	return publicKey{
		JSONWebKey: key,
		id:         key.KeyID + " " + hex.EncodeToString(thumb),
		issuer:     entra.Issuer,
		cloud:      entra.Cloud,
	}, nil
}

// checkStrength admits public keys of asymmetric algorithms alone, neither too weak to trust nor too large to
// verify with.
func checkStrength(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("the RSA key has %d bits", bits)
		}
		return nil
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	}
	return errors.New("the key is not a public key")
}

// await waits for a fetch, or until the caller gives up.
func await(ctx context.Context, done <-chan error) error {
	select {
	case <-ctx.Done():
		return unreachable("waiting for the provider", ctx.Err())
	case err := <-done:
		if err != nil {
			return unreachable("waiting for the provider", err)
		}
		return nil
	}
}
