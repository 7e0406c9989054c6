package oidctest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

var (
	oktaScopes       = []string{"openid", "email", "profile", "address", "phone", "offline_access", "groups"}
	oktaCustomScopes = []string{
		"okta.myAccount.email.manage", "okta.myAccount.email.read", "okta.myAccount.manage",
		"okta.myAccount.phone.manage", "okta.myAccount.phone.read", "okta.myAccount.profile.manage",
		"okta.myAccount.profile.read", "okta.myAccount.read",
		"openid", "profile", "email", "address", "phone", "offline_access", "device_sso",
	}
	oktaAuthMethods = []string{authBasic, authPost, authSecretJWT, authPrivateJWT, authNone}
	oktaClaims      = []string{
		"iss", "ver", "sub", "aud", "iat", "exp", "jti", "auth_time", "amr",
		"idp", "nonce", "name", "nickname",
		"preferred_username", "given_name", "middle_name", "family_name", "email", "email_verified",
		"profile", "zoneinfo", "locale", "address",
		"phone_number", "picture", "website", "gender", "birthdate", "updated_at", "at_hash", "c_hash",
	}
	oktaResponseTypes = []string{
		"code", "id_token", "code id_token", "code token", "id_token token", "code id_token token",
	}
	oktaRequestAlgs = []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512",
	}
)

// scopesOf are the scopes that a server's metadata lists. groups is among a custom server's
// only if an admin made it.
func (s *oktaServer) scopesOf() []string {
	if s.isOrg() {
		return oktaScopes
	}
	return append(slices.Clone(oktaCustomScopes), s.Scopes...)
}

// metadata is what the OpenID and the OAuth documents share.
func (o *Okta) metadata(s *oktaServer) map[string]any {
	return map[string]any{
		"issuer":                   s.issuer,
		"authorization_endpoint":   s.endpoint(o, "authorize"),
		"token_endpoint":           s.endpoint(o, "token"),
		"registration_endpoint":    o.url("/oauth2/v1/clients"),
		"jwks_uri":                 s.endpoint(o, "keys"),
		"response_types_supported": oktaResponseTypes,
		"response_modes_supported": []string{
			"query", "fragment", "form_post", "okta_post_message",
		},
		"grant_types_supported": []string{
			GrantCode, "implicit", GrantRefresh, "password", GrantDevice,
		},
		"subject_types_supported":                       []string{"public"},
		"scopes_supported":                              s.scopesOf(),
		"token_endpoint_auth_methods_supported":         oktaAuthMethods,
		"code_challenge_methods_supported":              []string{"S256"},
		"introspection_endpoint":                        s.endpoint(o, "introspect"),
		"introspection_endpoint_auth_methods_supported": oktaAuthMethods,
		"revocation_endpoint":                           s.endpoint(o, "revoke"),
		"revocation_endpoint_auth_methods_supported":    oktaAuthMethods,
		"end_session_endpoint":                          s.endpoint(o, "logout"),
		"request_parameter_supported":                   true,
		"request_object_signing_alg_values_supported":   oktaRequestAlgs,
		"device_authorization_endpoint":                 s.endpoint(o, "device/authorize"),
		"pushed_authorization_request_endpoint":         s.endpoint(o, "par"),
	}
}

func (o *Okta) discovery(w http.ResponseWriter, _ *http.Request, s *oktaServer) {
	document := o.metadata(s)
	document["userinfo_endpoint"] = s.endpoint(o, "userinfo")
	document["id_token_signing_alg_values_supported"] = []string{"RS256"}
	document["claims_supported"] = oktaClaims
	if !s.isOrg() {
		document["id_token_encryption_alg_values_supported"] = []string{
			"RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512",
		}
		document["id_token_encryption_enc_values_supported"] = []string{"A256GCM"}
	}
	w.Header().Set("Cache-Control", "max-age=86400, must-revalidate")
	writeJSON(w, http.StatusOK, overridden(document, o.options.Metadata))
}

// overridden is a document with members replaced, or removed where the value is nil.
func overridden(document, members map[string]any) map[string]any {
	for name, value := range members {
		document[name] = value
		if value == nil {
			delete(document, name)
		}
	}
	return document
}

// oauthMetadata is the RFC 8414 document. It alone admits that the server does client_credentials.
func (o *Okta) oauthMetadata(w http.ResponseWriter, _ *http.Request, s *oktaServer) {
	document := o.metadata(s)
	document["claims_supported"] = []string{
		"ver", "jti", "iss", "aud", "iat", "exp", "cid", "uid", "scp", "sub",
	}
	document["response_types_supported"] = append([]string{"token"}, oktaResponseTypes...)
	document["grant_types_supported"] = []string{
		GrantCode, "implicit", GrantRefresh, "password", GrantClientCredentials, GrantDevice,
	}
	writeJSON(w, http.StatusOK, document)
}

// serveKeys publishes the server's keys, each with its alg and without certificates.
func (o *Okta) serveKeys(w http.ResponseWriter, _ *http.Request, s *oktaServer) {
	keys, cacheControl, err := s.keys.fetch()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range keys {
		jwk := key.JWK()
		jwk.Algorithm = string(jose.RS256)
		if jwk.Use == "enc" {
			jwk.Algorithm = string(jose.RSA_OAEP_256)
		}
		set.Keys = append(set.Keys, jwk)
	}
	if cacheControl != "" {
		w.Header().Set("Cache-Control", cacheControl)
	}
	writeJSON(w, http.StatusOK, set)
}

// register refuses dynamic registration to everybody without an API token, although
// the metadata advertises it.
func (o *Okta) register(w http.ResponseWriter, _ *http.Request) {
	o.platformError(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(document) // the client that hung up needs no error
}
