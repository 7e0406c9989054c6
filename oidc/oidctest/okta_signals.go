package oidctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// SubjectID names a person in a security event or a global token revocation (RFC 9493).
type SubjectID struct {
	Format string `json:"format"` // email, iss_sub or opaque
	Email  string `json:"email,omitempty"`
	Issuer string `json:"iss,omitempty"`
	Sub    string `json:"sub,omitempty"`
	ID     string `json:"id,omitempty"`
}

// UniversalLogoutClaims are the claims of the bearer token with which Okta calls a relying party's global
// token revocation endpoint, for a test to spoil.
func (o *Okta) UniversalLogoutClaims(clientID, endpoint string) Claims {
	now := o.now()
	audience := endpoint
	if u, err := url.Parse(endpoint); err == nil {
		u.RawQuery = ""
		audience = u.String()
	}
	return Claims{
		"jti": o.random.guid(),
		"iss": o.org.issuer,
		"sub": clientID,
		"aud": audience,
		"iat": now.Unix(),
		"nbf": now.Add(-5 * time.Minute).Unix(),
		"exp": now.Add(5 * time.Minute).Unix(),
	}
}

// SignUniversalLogout signs such a token with the org's key.
func (o *Okta) SignUniversalLogout(claims Claims, options ...SignOption) (string, error) {
	return o.signWith(o.org.keys, claims,
		append([]SignOption{Header("typ", "global-token-revocation+jwt")}, options...)...)
}

// UniversalLogout tells a client's endpoint to revoke everything of a person, as Okta does when an admin
// clears their sessions (draft-parecki-oauth-global-token-revocation), and returns the status of the answer.
func (o *Okta) UniversalLogout(
	ctx context.Context, client *http.Client, endpoint, clientID string, subject SubjectID,
) (int, error) {
	token, err := o.SignUniversalLogout(o.UniversalLogoutClaims(clientID, endpoint))
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(map[string]any{"sub_id": subject})
	if err != nil {
		return 0, fmt.Errorf("encoding a subject: %w", err)
	}
	return post(ctx, client, endpoint, "application/json", "Bearer "+token, body)
}

// SecurityEvent is one event of Okta's shared signals transmitter.
type SecurityEvent struct {
	Type    string         // the event's URI
	Subject SubjectID      // sits inside the event
	Details map[string]any // further members of the event
}

// The events that Okta transmits.
const (
	EventSessionRevoked   = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	EventCredentialChange = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
)

// SecurityEventClaims are the claims of a security event token as Okta shapes it: the subject inside the
// event, event_timestamp in milliseconds, no exp.
func (o *Okta) SecurityEventClaims(audience string, event SecurityEvent) Claims {
	details := map[string]any{"subject": event.Subject, "event_timestamp": o.now().UnixMilli()}
	for name, value := range event.Details {
		details[name] = value
	}
	return Claims{
		"iss": o.org.issuer, "jti": o.random.guid(), "iat": o.now().Unix(), "aud": audience,
		"events": map[string]any{event.Type: details},
	}
}

// PushSecurityEvent delivers an event to a receiver (RFC 8935) and returns the status of the answer.
// authorization is the shared secret that the stream was made with, empty for none.
func (o *Okta) PushSecurityEvent(
	ctx context.Context, client *http.Client, endpoint, authorization string, claims Claims,
) (int, error) {
	token, err := o.signWith(o.org.keys, claims, Header("typ", "secevent+jwt"))
	if err != nil {
		return 0, err
	}
	return post(ctx, client, endpoint, "application/secevent+jwt", authorization, []byte(token))
}

func post(
	ctx context.Context, client *http.Client, endpoint, contentType, authorization string, body []byte,
) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a request to %s: %w", endpoint, err)
	}
	request.Header.Set("Content-Type", contentType)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("posting to %s: %w", endpoint, err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, maxForm))
	return response.StatusCode, nil
}

func (o *Okta) ssfConfiguration(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                 o.org.issuer,
		"jwks_uri":               o.org.endpoint(o, "keys"),
		"configuration_endpoint": o.url("/api/v1/ssf/stream"),
		"verification_endpoint":  o.url("/api/v1/ssf/stream/verification"),
		"delivery_methods_supported": []string{
			"https://schemas.openid.net/secevent/risc/delivery-method/push", "urn:ietf:rfc:8935",
		},
		"authorization_schemes": []map[string]string{{"spec_urn": "urn:ietf:rfc:6749"}},
		"spec_version":          "1_0-ID3",
		"default_subjects":      "ALL",
	})
}
