package authserver

import (
	"encoding/json"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/proxy"
)

// MetadataPath is the path of the authorization server metadata: the well-known path of RFC 8414 section 3.1
// for an issuer that has a path.
const MetadataPath = "/.well-known/oauth-authorization-server" + issuerPath

// metadata is the authorization server metadata (RFC 8414 section 2). It names only what is supported: a
// client takes what is missing for unsupported.
type metadata struct {
	oidc.DiscoveryConfiguration
	NamesIssuer bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207 section 3
}

func (s *Server) describe() ([]byte, error) {
	none := []oidc.AuthMethod{oidc.AuthMethodNone}
	return json.Marshal(metadata{
		DiscoveryConfiguration: oidc.DiscoveryConfiguration{
			Issuer:                      s.issuer,
			AuthorizationEndpoint:       s.origin + authorizePath,
			TokenEndpoint:               s.origin + tokenPath,
			RevocationEndpoint:          s.origin + revokePath,
			DeviceAuthorizationEndpoint: s.origin + deviceAuthorizationPath,
			ScopesSupported:             s.scopes,
			ResponseTypesSupported:      []string{string(oidc.ResponseTypeCode)},
			ResponseModesSupported:      []string{string(oidc.ResponseModeQuery)},
			GrantTypesSupported: []oidc.GrantType{
				oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode,
			},
			TokenEndpointAuthMethodsSupported:      none,
			RevocationEndpointAuthMethodsSupported: none,
			CodeChallengeMethodsSupported:          []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		},
		NamesIssuer: true,
	})
}

// metadata serves the metadata. It is the same for everybody, so a page of any origin may read it (CORS).
func (s *Server) metadata(v *proxy.Visit) error {
	if err := allowMethods(v, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	h := v.Writer().Header()
	h.Set("Content-Type", "application/json")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = v.Writer().Write(s.document)
	return nil
}
