package oidctest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// oktaError is an OAuth error in the words of Okta's catalogue.
type oktaError struct {
	status      int
	code        string
	description string
}

var (
	oktaNoCredentials      = &oktaError{401, "invalid_client", "No client credentials found."}
	oktaSeveralCredentials = &oktaError{401, "invalid_request", "Cannot supply multiple client " +
		"credentials. Use one of the following: credentials in the Authorization header, credentials in " +
		"the post body, or a client_assertion in the post body."}
	oktaUnknownClient = &oktaError{401, "invalid_client", "Invalid value for 'client_id' parameter."}
	oktaWrongSecret   = &oktaError{
		401, "invalid_client", "The client secret supplied for a confidential client is invalid.",
	}
	oktaShortSecret = &oktaError{
		401, "invalid_client", "The client secret is too short to verify a JWT HMAC.",
	}
	oktaAssertionAudience = &oktaError{401, "invalid_client", "The audience claim for client_assertion " +
		"must be the endpoint invoked for the request."}
	oktaAssertionTooLong = &oktaError{
		401, "invalid_client", "The client_assertion token has an expiration too far into the future.",
	}
	oktaAssertionUsed = &oktaError{
		401, "invalid_client", "The client_assertion token has already been used.",
	}
	oktaAssertionExpired   = &oktaError{401, "invalid_client", "The client_assertion token is expired."}
	oktaAssertionSignature = &oktaError{401, "invalid_client", "The client_assertion signature is invalid."}
	oktaAssertionKID       = &oktaError{401, "invalid_client", "The client_assertion JWT kid is invalid."}
	oktaAssertionIssuer    = &oktaError{401, "invalid_client", "The issuer and subject claims for " +
		"client_assertion must be the client_id of the client."}
	oktaOrgServiceAuth = &oktaError{401, "invalid_client", "Client Credentials requests to the Org " +
		"Authorization Server must use the private_key_jwt token_endpoint_auth_method."}

	oktaCodeDead = &oktaError{
		400, "invalid_grant", "The authorization code is invalid or has expired.",
	}
	oktaPKCEMismatch     = &oktaError{400, "invalid_grant", "PKCE verification failed."}
	oktaRedirectMismatch = &oktaError{400, "invalid_grant", "The 'redirect_uri' does not match the " +
		"redirection URI used in the authorization request."}
	oktaOtherClient = &oktaError{400, "invalid_grant", "The grant was issued to another client. The " +
		"authorization server must check that the grant was issued to the client."}
	oktaRefreshDead = &oktaError{400, "invalid_grant", "The refresh token is invalid or expired."}
	oktaUnassigned  = &oktaError{400, "access_denied", "User is not assigned to the client application."}
	oktaPolicy      = &oktaError{400, "access_denied", "Policy evaluation failed for this request, please " +
		"check the policy configurations."}
	oktaTooManyGroups = &oktaError{400, "server_error", "The groups claim matched too many groups and must " +
		"be configured to match fewer groups."}
	oktaBadScope = &oktaError{
		400, "invalid_scope", "One or more scopes are not configured for the authorization server resource.",
	}
	oktaNoScope = &oktaError{400, "invalid_scope", "The authorization server resource does not have any " +
		"configured default scopes, 'scope' must be provided."}
	oktaOpenIDForService = &oktaError{
		400, "invalid_scope", "Cannot request 'openid' scopes using client credentials.",
	}

	oktaDevicePending = &oktaError{
		400, "authorization_pending", "The device authorization is pending. Please try again later.",
	}
	oktaDeviceSlow = &oktaError{
		400, "slow_down", "The device is polling too quickly. Please try again later.",
	}
	oktaDeviceExpired = &oktaError{400, "expired_token", "The device code has expired."}
	oktaDeviceDead    = &oktaError{400, "invalid_grant", "The device code is invalid or has expired."}

	oktaState = &oktaError{
		400, "invalid_request", "The authentication request has an invalid 'state' parameter.",
	}
	oktaNonce = &oktaError{
		400, "invalid_request", "The authentication request has an invalid 'nonce' parameter.",
	}
	oktaPKCERequired = &oktaError{
		400, "invalid_request", "PKCE code challenge is required by the application.",
	}
	oktaPKCEMethod = &oktaError{400, "invalid_request", "The value of 'code_challenge_method' is not " +
		"supported. Only S256 is supported."}
	oktaResponseType = &oktaError{400, "unsupported_response_type", "The response type is not supported by " +
		"the authorization server. Configured response types: [code]."}
	oktaResource = &oktaError{
		400, "invalid_target", "The authorization server rejected the 'resource' parameter.",
	}
	oktaPersonRefused = &oktaError{
		400, "access_denied", "The resource owner or authorization server denied the request.",
	}
	oktaLoginRequired = &oktaError{
		400, "login_required", "The client specified not to prompt, but the user is not logged in.",
	}
	oktaReauthenticate = &oktaError{400, "login_required", "The client specified not to prompt, but the " +
		"client app requires re-authentication or MFA."}
)

func oktaGrantNotEnabled(c Client) *oktaError {
	return &oktaError{400, "unauthorized_client", fmt.Sprintf("The client is not authorized to use the "+
		"provided grant type. Configured grant types: [%s].", strings.Join(c.GrantTypes, ", "))}
}

func oktaDeniedScopes(denied []string) *oktaError {
	return &oktaError{
		400, "access_denied", fmt.Sprintf("Some of the scopes requested for the refresh request were not "+
			"granted in the original authorize request. Denied scopes: %s.", strings.Join(denied, ", ")),
	}
}

// params are the error as parameters of an authorization response.
func (e *oktaError) params() url.Values {
	return url.Values{"error": {e.code}, "error_description": {e.description}}
}

func (o *Okta) oauthError(w http.ResponseWriter, e *oktaError) {
	noStore(w)
	writeJSON(w, e.status, map[string]any{"error": e.code, "error_description": e.description})
}

// platformError is an error in the shape of Okta's management API, which rate limits and outages use too.
func (o *Okta) platformError(w http.ResponseWriter, status int, code, summary string) {
	writeJSON(w, status, map[string]any{
		"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae" + o.random.token(16),
		"errorCauses": []string{},
	})
}

// RateLimited is the fault of a client that asked too often: 429, the reset time in
// epoch seconds, no Retry-After.
func (o *Okta) RateLimited(reset time.Duration) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			o.showRateLimit(w, 0, reset)
			o.platformError(w, http.StatusTooManyRequests, "E0000047",
				"You exceeded the maximum number of requests. Try again in a while.")
		})
	}
}

// showRateLimit puts the state of a bucket on an answer; discovery and keys have none.
func (o *Okta) showRateLimit(w http.ResponseWriter, remaining int, reset time.Duration) {
	w.Header().Set("X-Rate-Limit-Limit", "600")
	w.Header().Set("X-Rate-Limit-Remaining", strconv.Itoa(remaining))
	w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(o.now().Add(reset).Unix(), 10))
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-cache, no-store")
	w.Header().Set("Pragma", "no-cache")
}
