package oidctest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// aadError is an OAuth error with the number that Microsoft's documentation explains.
type aadError struct {
	status   int
	code     string
	number   int
	text     string
	suberror string
	claims   string // JSON that the client should send as claims next time
}

var (
	aadMissingClientID = &aadError{
		status: 400, code: "invalid_request", number: 900144,
		text: "The request body must contain the following parameter: 'client_id'.",
	}
	aadMissingScope = &aadError{
		status: 400, code: "invalid_request", number: 900144,
		text: "The request body must contain the following parameter: 'scope'.",
	}
	aadMissingGrantType = &aadError{
		status: 400, code: "invalid_request", number: 900144,
		text: "The request body must contain the following parameter: 'grant_type'.",
	}
	aadNeedsCredentials = &aadError{
		status: 401, code: "invalid_client", number: 7000218,
		text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
	}
	aadWrongSecret = &aadError{status: 401, code: "invalid_client", number: 7000215, text: "Invalid client " +
		"secret provided. Ensure the secret being sent in the request is the client secret value, not the " +
		"client secret ID."}
	aadExpiredSecret = &aadError{
		status: 401, code: "invalid_client", number: 7000222,
		text: "The provided client secret keys are expired.",
	}
	aadPublicWithSecret = &aadError{
		status: 401, code: "invalid_client", number: 700025,
		text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
	}
	aadAssertionWrong = &aadError{
		status: 401, code: "invalid_client", number: 700027,
		text: "Client assertion failed signature validation. The certificate with identifier used to sign " +
			"the client assertion is not registered on application.",
	}
	aadAssertionExpired = &aadError{
		status: 401, code: "invalid_client", number: 700024,
		text: "Client assertion is not within its valid time range.",
	}
	aadAssertionAudience = &aadError{
		status: 401, code: "invalid_client", number: 700023,
		text: "Client assertion audience claim does not match Realm issuer.",
	}
	aadNoFederation = &aadError{
		status: 401, code: "invalid_client", number: 70021,
		text: "No matching federated identity record found for presented assertion.",
	}
	aadFederationIssuer = &aadError{
		status: 401, code: "invalid_client", number: 700211,
		text: "No matching federated identity record found for presented assertion issuer.",
	}
	aadFederationAud = &aadError{
		status: 401, code: "invalid_client", number: 700212,
		text: "No matching federated identity record found for presented assertion audience.",
	}
	aadFederationSubject = &aadError{
		status: 401, code: "invalid_client", number: 700213,
		text: "No matching federated identity record found for presented assertion subject.",
	}

	aadCodeExpired = &aadError{
		status: 400, code: "invalid_grant", number: 70008,
		text: "The provided authorization code or refresh token has expired due to inactivity.",
	}
	aadCodeUsed = &aadError{status: 400, code: "invalid_grant", number: 54005, text: "OAuth2 Authorization " +
		"code was already redeemed, please retry with a new valid code or use an existing refresh token."}
	aadCodeMalformed = &aadError{
		status: 400, code: "invalid_request", number: 9002313,
		text: "Invalid request. Request is malformed or invalid.",
	}
	aadCodeTenant = &aadError{
		status: 400, code: "invalid_grant", number: 700005,
		text: "Provided Authorization Code is intended to use against other tenant, thus rejected.",
	}
	aadGrantInvalid = &aadError{status: 400, code: "invalid_grant", number: 70000, text: "Provided grant " +
		"is invalid or malformed.", suberror: "bad_token"}
	aadPKCEMismatch = &aadError{
		status: 400, code: "invalid_grant", number: 501481,
		text: "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
	}
	aadPKCEMissing = &aadError{
		status: 400, code: "invalid_request", number: 9002325,
		text: "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
	}
	aadSPAOrigin = &aadError{
		status: 400, code: "invalid_request", number: 9002327, text: "Tokens issued for the 'Single-Page " +
			"Application' client-type may only be redeemed via cross-origin requests.",
	}
	aadRedirectMismatch = &aadError{
		status: 400, code: "invalid_client", number: 500112, text: "The reply address does not match the " +
			"reply address provided when requesting Authorization code.",
	}
	aadGrantType = &aadError{
		status: 400, code: "unsupported_grant_type", number: 70003,
		text: "The app requested an unsupported grant type.",
	}
	aadRefreshInactive = &aadError{
		status: 400, code: "invalid_grant", number: 700082,
		text:     "The refresh token has expired due to inactivity. The token was inactive for 90.00:00:00.",
		suberror: "token_expired",
	}
	aadRefreshSPA = &aadError{status: 400, code: "invalid_grant", number: 700084, text: "The refresh token " +
		"was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, " +
		"which can not be extended.", suberror: "token_expired"}
	aadDisabled = &aadError{
		status: 400, code: "invalid_grant", number: 50057, text: "The user account is disabled.",
	}
	aadDeleted = &aadError{
		status: 400, code: "invalid_grant", number: 50034, text: "The user account does not exist in the " +
			"directory. To sign into this application, the account must be added to the directory.",
	}
	aadMFA           = &aadError{status: 400, code: "interaction_required", number: 50076, text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.", suberror: "basic_action", claims: `{"access_token":{"capolids":{"essential":true,"values":["c77f8d3a-1c5b-4d2e-8f90-a1b2c3d4e5f6"]}}}`}
	aadLoginRequired = &aadError{
		status: 400, code: "login_required", number: 50058,
		text: "A silent sign-in request was sent but no user is signed in.",
	}
	aadResponseType = &aadError{
		status: 400, code: "unsupported_response_type", number: 700054,
		text: "response_type 'id_token' is not enabled for the application.",
	}
	aadResponseMode = &aadError{status: 400, code: "invalid_request", number: 70007, text: "'query' is not " +
		"a supported value of 'response_mode' when requesting a token."}
	aadResource = &aadError{
		status: 400, code: "invalid_target", number: 9010010,
		text: "The resource parameter provided in the request doesn't match with the requested scopes.",
	}
	aadNonceMissing = &aadError{
		status: 400, code: "invalid_request", number: 90014, text: "The required field 'nonce' is missing " +
			"from the credential. Ensure that you have all the necessary parameters for the login request.",
	}
	aadNoTenant = &aadError{
		status: 400, code: "invalid_request", number: 50059, text: "No tenant-identifying information " +
			"found in either the request or implied by any provided credentials.",
	}

	aadDevicePending = &aadError{
		status: 400, code: "authorization_pending", number: 70016,
		text: "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
	}
	aadDeviceRefused = &aadError{
		status: 400, code: "authorization_declined", number: 70017,
		text: "The end user has declined the authorization request.",
	}
	aadDeviceExpired = &aadError{
		status: 400, code: "expired_token", number: 70020,
		text: "The provided value for the 'code' parameter, device code, is expired.",
	}
	aadDeviceBad = &aadError{
		status: 400, code: "bad_verification_code", number: 70018,
		text: "Invalid verification code due to User typing in wrong user code for device code flow.",
	}
)

func aadUnknownTenant(segment string) *aadError {
	return &aadError{
		status: 400, code: "invalid_tenant", number: 90002,
		text: fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and "+
			"are signing into the correct cloud.", segment),
	}
}

func aadUnknownClient(id, tenant string) *aadError {
	return &aadError{
		status: 400, code: "unauthorized_client", number: 700016,
		text: fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. This can "+
			"happen if the application has not been installed by the administrator of the tenant or "+
			"consented to by any user in the tenant.", id, tenant),
	}
}

func aadSingleTenant(id string) *aadError {
	return &aadError{
		status: 400, code: "invalid_request", number: 50194,
		text: fmt.Sprintf("Application '%s' is not configured as a multi-tenant application. Usage of the "+
			"/common endpoint is not supported for such apps created after '10/15/2018'.", id),
	}
}

func aadReplyAddress(uri, client string) *aadError {
	return &aadError{
		status: 400, code: "invalid_request", number: 50011,
		text: fmt.Sprintf("The redirect URI '%s' specified in the request does not match the redirect URIs "+
			"configured for the application '%s'.", uri, client),
	}
}

func aadUnassigned(p Person, client string) *aadError {
	return &aadError{
		status: 400, code: "invalid_grant", number: 50105,
		text: fmt.Sprintf("Your administrator has configured the application '%s' to block users unless "+
			"they are specifically granted ('assigned') access to the application. The signed in user '%s' "+
			"is blocked because they are not a direct member of a group with access.", client, p.Login),
	}
}

func aadWrongTenant(who, tenant string) *aadError {
	return &aadError{
		status: 400, code: "invalid_request", number: 50020,
		text: fmt.Sprintf("User account '%s' from identity provider does not exist in tenant '%s' and "+
			"cannot access the application in that tenant.", who, tenant),
	}
}

func aadRevoked(g *grant, p Person) *aadError {
	return &aadError{
		status: 400, code: "invalid_grant", number: 50173,
		text: fmt.Sprintf("The provided grant has expired due to it being revoked, a fresh auth token is "+
			"needed. The user might have changed or reset their password. The grant was issued on '%s' and "+
			"the TokensValidFrom date (before which tokens are not valid) for this user is '%s'.",
			g.issued.UTC().Format("2006-01-02T15:04:05.0000000Z"),
			p.revokedAt.UTC().Format("2006-01-02T15:04:05.0000000Z")),
	}
}

func aadUnknownScope(client, scope string) *aadError {
	return &aadError{
		status: 400, code: "invalid_client", number: 650053,
		text: fmt.Sprintf("The application '%s' asked for scope '%s' that doesn't exist on the resource "+
			"'%s'. Contact the app vendor.", client, scope, GraphAppID),
	}
}

func aadInvalidScope(scope string) *aadError {
	return &aadError{
		status: 400, code: "invalid_scope", number: 70011,
		text: fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value "+
			"for the input parameter 'scope' is not valid. The scope %s is not valid.", scope),
	}
}

func aadServiceScope(scope string) *aadError {
	return &aadError{
		status: 400, code: "invalid_scope", number: 1002012,
		text: fmt.Sprintf("The provided value for scope %s is not valid. Client credential flows must have "+
			"a scope value with /.default suffixed to the resource identifier (application ID URI).", scope),
	}
}

func aadUnknownResource(resource, tenant string) *aadError {
	return &aadError{status: 400, code: "invalid_resource", number: 500011, text: fmt.Sprintf(
		"The resource principal named %s was not found in the tenant named %s.", resource, tenant,
	)}
}

// description is the text with everything that support asks for.
func (e *Entra) description(problem *aadError, trace, correlation string) string {
	separator := " "
	if e.options.CRLFErrors {
		separator = "\r\n"
	}
	return strings.Join([]string{
		fmt.Sprintf("AADSTS%d: %s", problem.number, problem.text),
		"Trace ID: " + trace,
		"Correlation ID: " + correlation,
		"Timestamp: " + e.timestamp(),
	}, separator)
}

func (e *Entra) timestamp() string { return e.now().UTC().Format("2006-01-02 15:04:05Z") }

func (e *Entra) aadError(w http.ResponseWriter, problem *aadError) {
	trace, correlation := e.random.guid(), e.random.guid()
	body := map[string]any{
		"error":             problem.code,
		"error_description": e.description(problem, trace, correlation),
		"error_codes":       []int{problem.number},
		"timestamp":         e.timestamp(),
		"trace_id":          trace,
		"correlation_id":    correlation,
		"error_uri":         e.url("/error?code=" + strconv.Itoa(problem.number)),
	}
	if problem.suberror != "" {
		body["suberror"] = problem.suberror
	}
	if problem.claims != "" {
		body["claims"] = problem.claims
	}
	noStore(w)
	writeJSON(w, problem.status, body)
}

// aadPage shows an error that is not sent to the redirect URI.
func (e *Entra) aadPage(w http.ResponseWriter, problem *aadError) {
	e.showProblem(w, http.StatusBadRequest, "Sorry, but we're having trouble signing you in.",
		e.description(problem, e.random.guid(), e.random.guid()))
}

// aadParams are the error as parameters of an authorization response.
func (e *Entra) aadParams(problem *aadError) url.Values {
	params := url.Values{
		"error":             {problem.code},
		"error_description": {e.description(problem, e.random.guid(), e.random.guid())},
		"error_uri":         {e.url("/error?code=" + strconv.Itoa(problem.number))},
	}
	if problem.suberror != "" {
		params.Set("suberror", problem.suberror)
	}
	if problem.claims != "" {
		params.Set("claims", problem.claims)
	}
	return params
}

// Throttled is the fault of a login host that is asked too often: 429 with Retry-After in seconds.
func (e *Entra) Throttled(retryAfter int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
			e.aadError(w, &aadError{
				status: 429, code: "temporarily_unavailable", number: 90055,
				text: "The request was throttled, try again later.",
			})
		})
	}
}
