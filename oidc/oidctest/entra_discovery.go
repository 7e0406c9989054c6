package oidctest

import (
	"net/http"
)

// discovery is the OpenID document of an authority. What is missing from it
// (code_challenge_methods_supported, grant types, revocation, introspection) is missing at Entra too. URLs
// keep the segment that was asked for, except that a domain's issuer holds the GUID.
func (e *Entra) discovery(w http.ResponseWriter, _ *http.Request, at authority) {
	document := map[string]any{
		"token_endpoint":                        e.endpoint(at, "token"),
		"token_endpoint_auth_methods_supported": []string{authPost, authPrivateJWT, authBasic},
		"jwks_uri":                              e.keysURL(at),
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"issuer":                                e.issuerAt(at),
		"authorization_endpoint":                e.endpoint(at, "authorize"),
		"device_authorization_endpoint":         e.endpoint(at, "devicecode"),
		"http_logout_supported":                 true,
		"frontchannel_logout_supported":         true,
		"end_session_endpoint":                  e.endpoint(at, "logout"),
		"kerberos_endpoint":                     e.url("/" + at.segment + "/kerberos"),
		"tenant_region_scope":                   nil,
		"cloud_instance_name":                   e.options.CloudInstance,
		"cloud_graph_host_name":                 "graph.windows.net",
		"msgraph_host":                          e.options.GraphHost,
		"rbac_url":                              "https://pas.windows.net",
	}
	if at.tenant != nil {
		document["tenant_region_scope"] = "EU"
	}
	if at.version == 1 {
		e.discoveryV1(document, at)
	} else {
		e.discoveryV2(document)
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "max-age=86400, private")
	writeJSON(w, http.StatusOK, overridden(document, e.options.Metadata))
}

func (e *Entra) discoveryV2(document map[string]any) {
	document["response_types_supported"] = []string{"code", "id_token", "code id_token", "id_token token"}
	document["scopes_supported"] = []string{"openid", "profile", "email", "offline_access"}
	document["request_uri_parameter_supported"] = false
	document["userinfo_endpoint"] = e.GraphURL() + "/oidc/userinfo"
	document["claims_supported"] = []string{
		"sub", "iss", "cloud_instance_name", "cloud_instance_host_name",
		"cloud_graph_host_name", "msgraph_host",
		"aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver",
		"at_hash", "c_hash", "email",
	}
}

func (e *Entra) discoveryV1(document map[string]any, at authority) {
	document["response_types_supported"] = []string{
		"code", "id_token", "code id_token", "token id_token", "token",
	}
	document["scopes_supported"] = []string{"openid"}
	document["microsoft_multi_refresh_token"] = true
	document["check_session_iframe"] = e.url("/" + at.segment + "/oauth2/checksession")
	document["userinfo_endpoint"] = e.url("/" + at.segment + "/openid/userinfo")
	document["claims_supported"] = []string{
		"sub", "iss", "cloud_instance_name", "cloud_instance_host_name",
		"cloud_graph_host_name", "msgraph_host",
		"aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "email", "given_name",
		"family_name", "nickname",
	}
}

func (e *Entra) endpoint(at authority, name string) string {
	if at.version == 1 {
		return e.url("/" + at.segment + "/oauth2/" + name)
	}
	return e.url("/" + at.segment + "/oauth2/v2.0/" + name)
}

func (e *Entra) keysURL(at authority) string {
	if at.version == 1 {
		return e.url("/" + at.segment + "/discovery/keys")
	}
	return e.url("/" + at.segment + "/discovery/v2.0/keys")
}

func (e *Entra) issuerAt(at authority) string {
	tenant := tenantPlaceholder
	switch {
	case at.tenant != nil:
		tenant = at.tenant.ID
	case at.segment == segmentConsumers:
		tenant = MSATenant
	}
	return e.issuer(tenant, at.version)
}

func (e *Entra) issuer(tenant string, version int) string {
	if version == 1 {
		return e.IssuerV1Of(tenant)
	}
	return e.IssuerOf(tenant)
}
