package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	serverPath   = "/oauth2/default"
	clientID     = "0oaload"
	clientSecret = "secret-of-the-load"
)

var scopesSupported = []string{"openid", "profile", "email", "groups", "offline_access"}

// provider is an authorization server that answers as Okta's custom ones do, for everybody that people has. A
// code names who it is for; nothing is kept.
type provider struct {
	people  people
	signer  jose.Signer
	keys    []byte
	latency time.Duration // of the token endpoint
	asked   atomic.Int64  // renewals
}

func newProvider(p people, latency time.Duration) (*provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "load"}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: key.Public(), KeyID: "load", Use: "sig", Algorithm: string(jose.ES256)},
	}})
	return &provider{people: p, signer: signer, keys: keys, latency: latency}, err
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issuer := p.people.org + serverPath
	w.Header().Set("Content-Type", "application/json")
	switch strings.TrimPrefix(r.URL.Path, serverPath) {
	case "/.well-known/openid-configuration":
		writeJSON(w, map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/v1/authorize",
			"token_endpoint": issuer + "/v1/token", "jwks_uri": issuer + "/v1/keys",
			"userinfo_endpoint":                     issuer + "/v1/userinfo",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
			"scopes_supported":                      scopesSupported,
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
			"code_challenge_methods_supported":      []string{"S256"},
		})
	case "/v1/keys":
		w.Write(p.keys)
	case "/v1/token":
		p.token(w, r)
	case "/v1/userinfo":
		i, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer at."))
		writeJSON(w, p.claims(i))
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (p *provider) claims(i int) map[string]any {
	who := p.people.person(i)
	return map[string]any{
		"sub": fmt.Sprintf("00u%017d", i), "name": who.name, "email": who.email, "email_verified": true,
		"preferred_username": who.email, "groups": who.groups,
	}
}

// callback is where the provider sends the browser of person i that came with that authorization request.
func callback(authorize string, i int) (string, error) {
	u, err := url.Parse(authorize)
	if err != nil {
		return "", err
	}
	asked := u.Query()
	if asked.Get("state") == "" {
		return "", fmt.Errorf("%s is no authorization request", authorize)
	}
	return asked.Get("redirect_uri") + "?" + url.Values{
		"state": {asked.Get("state")}, "code": {fmt.Sprintf("%d.%s", i, asked.Get("nonce"))},
	}.Encode(), nil
}

// token redeems codes, and refresh tokens, which rotate.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	time.Sleep(p.latency)
	var i, nth int
	var nonce string
	var err error
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		_, err = fmt.Sscanf(strings.Replace(r.PostFormValue("code"), ".", " ", 1), "%d %s", &i, &nonce)
	case "refresh_token":
		p.asked.Add(1)
		_, err = fmt.Sscanf(r.PostFormValue("refresh_token"), "rt.%d.%d", &i, &nth)
	default:
		err = errors.New("no grant that we know")
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		writeJSON(w, map[string]any{"error": "invalid_grant"})
		return
	}
	idToken, err := p.idToken(i, nonce)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]any{
		"access_token": fmt.Sprintf("at.%d", i), "token_type": "Bearer", "expires_in": 3600,
		"id_token": idToken, "refresh_token": refreshToken(i, nth+1),
		"scope": "openid profile email groups offline_access",
	})
}

func (p *provider) idToken(i int, nonce string) (string, error) {
	now, claims := time.Now(), p.claims(i)
	for name, value := range map[string]any{
		"iss": p.people.org + serverPath, "aud": clientID,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"ver": 1, "jti": fmt.Sprintf("ID.%d.%d", i, now.UnixNano()), "amr": []string{"pwd", "mfa"},
		"idp": "00o1load", "auth_time": now.Unix(),
	} {
		claims[name] = value
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
