package oidc

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	entraTail = " Trace ID: 3c6f1b1e-8f11-4a52-9a31-5a0e7be20100 Correlation ID: 0f7a9a1d-2c1d-4f43-8d93-1b2c3d4e5f60 Timestamp: 2026-11-20 10:00:00Z"
	entraIDs  = "trace 3c6f1b1e-8f11-4a52-9a31-5a0e7be20100, correlation 0f7a9a1d-2c1d-4f43-8d93-1b2c3d4e5f60"
)

// said is one answer of a provider, and what becomes of it: our code, the sentence for the
// person, words of the remedy.
type said struct {
	name               string
	kind               string
	error, description string // for Entra, the number
	detail             string // error_subcode, suberror
	status             int
	code, say          string
	remedy             string
}

// How providers refuse at the callback.
var atCallback = []said{
	{
		"refused", TypeOkta, "access_denied",
		"The resource owner or authorization server denied the request.", "", 0, CodeSignInRefused,
		sayRefused, "policy said no",
	},
	{
		"no session", TypeOkta, "login_required",
		"The client specified not to prompt, but the user is not logged in.", "", 0, CodeLoginRequired,
		sayAgain, "no session",
	},
	{
		"more proof", TypeOkta, "login_required",
		"The client specified not to prompt, but the client app requires re-authentication or MFA.", "", 0,
		CodeLoginRequired, sayAgain, "prove more",
	},
	{
		"consent", TypeOkta, "consent_required", "The following scopes require user consent: [x].", "", 0,
		CodeLoginRequired, sayAgain, "Implicit",
	},
	{
		"unassigned", TypeOkta, "access_denied", "User is not assigned to the client application.", "", 0,
		CodeSignInRefused, sayNotAssigned, "Assign the person",
	},
	{
		"policy", TypeOkta, "access_denied",
		"Policy evaluation failed for this request, please check the policy configurations.", "", 0,
		CodeSignInRefused, sayPolicy, "authentication policy",
	},
	{
		"scope", TypeOkta, "invalid_scope",
		"One or more scopes are not configured for the authorization server resource.", "", 0,
		CodeProviderMisset, sayMisconfigured, "Create the scope",
	},
	{
		"groups", TypeOkta, "server_error",
		"The groups claim matched too many groups and must be configured to match fewer groups.", "", 0,
		CodeGroupsTooMany, sayGroups, "filter",
	},
	{
		"redirect URI", TypeOkta, "invalid_request",
		"The 'redirect_uri' parameter must be a Login redirect URI in the client app settings.", "", 0,
		CodeProviderMisset, sayMisconfigured, redirectURL,
	},
	{
		"unknown client", TypeOkta, "invalid_client", "Invalid value for 'client_id' parameter.", "", 0,
		CodeProviderMisset, sayMisconfigured, clientID,
	},
	{
		"ID token", TypeOkta, "unsupported_response_type",
		"The response type is not supported by the authorization server. Configured response types: [code].",
		"", 0, CodeProviderMisset, sayMisconfigured, "response type code",
	},
	{
		"PKCE", TypeOkta, "invalid_request", "PKCE code challenge is required by the application.", "", 0,
		CodeProviderMisset, sayMisconfigured, "code_challenge",
	},
	{
		"overload", TypeOkta, "temporarily_unavailable", "", "", 0, CodeProviderUnavailable,
		sayUnavailable, "overloaded",
	},
	{
		"acr", TypeOkta, "unmet_authentication_requirements", "", "", 0, CodeSignInRefused,
		sayPolicy, "acr_values",
	},
	{
		"resource", TypeOkta, "invalid_target", "The authorization server rejected the 'resource' parameter.",
		"", 0, CodeProviderMisset, sayMisconfigured, "extra_parameters",
	},

	{"refused", TypeEntra, "access_denied", "", "cancel", 0, CodeSignInRefused, sayCancelled, "consent"},
	{
		"declined", TypeEntra, "access_denied", "65004", "cancel", 0, CodeSignInRefused,
		sayCancelled, "declined",
	},
	{
		"approval", TypeEntra, "access_denied", "90094", "cancel", 0, CodeSignInRefused, sayApproval,
		"Grant admin consent",
	},
	{"no session", TypeEntra, "login_required", "50058", "", 0, CodeLoginRequired, sayAgain, "sign in"},
	{
		"more proof", TypeEntra, "interaction_required", "50076", "", 0, CodeLoginRequired,
		sayAgain, "prove more",
	},
	{
		"enrolment", TypeEntra, "interaction_required", "50079", "", 0, CodeLoginRequired,
		sayAgain, "prove more",
	},
	{"choice", TypeEntra, "interaction_required", "16000", "", 0, CodeLoginRequired, sayAgain, "account"},
	{
		"registration", TypeEntra, "interaction_required", "50072", "", 0, CodeLoginRequired,
		sayAgain, "prove more",
	},
	{
		"consent", TypeEntra, "consent_required", "65001", "", 0, CodeLoginRequired, sayAgain,
		"Grant admin consent",
	},
	{
		"unassigned", TypeEntra, "access_denied", "50105", "", 0, CodeSignInRefused,
		sayNotAssigned, "Assign the person",
	},
	{
		"policy", TypeEntra, "access_denied", "53003", "", 0, CodeSignInRefused,
		sayPolicy, "conditional access",
	},
	{
		"device", TypeEntra, "interaction_required", "53000", "", 0, CodeSignInRefused,
		sayPolicy, "conditional access",
	},
	{
		"device, managed", TypeEntra, "access_denied", "530003", "", 0, CodeSignInRefused,
		sayPolicy, "conditional access",
	},
	{
		"scope", TypeEntra, "invalid_scope", "70011", "", 0, CodeProviderMisset,
		sayMisconfigured, "Check scopes",
	},
	{
		"no such scope", TypeEntra, "invalid_client", "650053", "", 0, CodeProviderMisset,
		sayMisconfigured, "Check scopes",
	},
	{
		"redirect URI", TypeEntra, "invalid_request", "50011", "", 0, CodeProviderMisset,
		sayMisconfigured, redirectURL,
	},
	{
		"redirect URI, personal", TypeEntra, "invalid_request", "900971", "", 0, CodeProviderMisset,
		sayMisconfigured, redirectURL,
	},
	{
		"unknown client", TypeEntra, "unauthorized_client", "700016", "", 0, CodeProviderMisset,
		sayMisconfigured, clientID,
	},
	{
		"unknown tenant", TypeEntra, "invalid_request", "90002", "", 0, CodeProviderMisset,
		sayMisconfigured, tenantA,
	},
	{
		"single tenant", TypeEntra, "invalid_request", "50194", "", 0, CodeProviderMisset,
		sayMisconfigured, "one tenant",
	},
	{
		"another cloud", TypeEntra, "invalid_request", "90038", "", 0, CodeProviderMisset,
		sayMisconfigured, "Set cloud",
	},
	{
		"wrong tenant", TypeEntra, "invalid_request", "50020", "", 0, CodeTenantRefused,
		sayOtherTenant, "guest",
	},
	{
		"ID token", TypeEntra, "unsupported_response_type", "700054", "", 0, CodeProviderMisset,
		sayMisconfigured, "authorization code",
	},
	{
		"overload", TypeEntra, "temporarily_unavailable", "90033", "", 0, CodeProviderUnavailable,
		sayUnavailable, "overloaded",
	},
	{
		"failure", TypeEntra, "server_error", "90033", "", 0, CodeProviderUnavailable,
		sayUnavailable, "overloaded",
	},
	{
		"resource", TypeEntra, "invalid_target", "9010010", "", 0, CodeProviderMisset,
		sayMisconfigured, "another API",
	},
	{"password", TypeEntra, "access_denied", "50055", "", 0, CodeSignInRefused, sayPassword, "password"},
}

// How they refuse a code.
var atToken = []said{
	{
		"wrong secret", TypeOkta, "invalid_client",
		"The client secret supplied for a confidential client is invalid.", "", 401, CodeProviderMisset,
		sayMisconfigured, "secret is wrong or inactive",
	},
	{
		"unknown client", TypeOkta, "invalid_client", "Invalid value for 'client_id' parameter.", "", 401,
		CodeProviderMisset, sayMisconfigured, clientID,
	},
	{
		"no credentials", TypeOkta, "invalid_client", "No client credentials found.", "", 401,
		CodeProviderMisset, sayMisconfigured, "set client_secret or private_key_file",
	},
	{"two credentials", TypeOkta, "invalid_request", "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, credentials in the post body, or a client_assertion in the post body.", "", 401, CodeProviderMisset, sayMisconfigured, "Authorization header"},
	{
		"assertion, audience", TypeOkta, "invalid_client",
		"The audience claim for client_assertion must be the endpoint invoked for the request.", "", 401,
		CodeProviderMisset, sayMisconfigured, "private_key_file",
	},
	{
		"assertion, key", TypeOkta, "invalid_client", "The client_assertion signature is invalid.", "", 401,
		CodeProviderMisset, sayMisconfigured, "private_key_file",
	},
	{
		"assertion, kid", TypeOkta, "invalid_client", "The client_assertion JWT kid is invalid.", "", 401,
		CodeProviderMisset, sayMisconfigured, "key_id",
	},
	{
		"code", TypeOkta, "invalid_grant", "The authorization code is invalid or has expired.", "", 400,
		CodeSignInInvalid, sayStale, "repeated",
	},
	{
		"PKCE", TypeOkta, "invalid_grant", "PKCE verification failed.", "", 400,
		CodeSignInInvalid, sayInvalid, "attack",
	},
	{
		"redirect URI", TypeOkta, "invalid_grant",
		"The 'redirect_uri' does not match the redirection URI used in the authorization request.", "", 400,
		CodeProviderMisset, sayMisconfigured, redirectURL,
	},
	{"another's code", TypeOkta, "invalid_grant", "The grant was issued to another client. The authorization server must check that the grant was issued to the client.", "", 400, CodeSignInInvalid, sayInvalid, "attack"},
	{
		"grant", TypeOkta, "unauthorized_client",
		"The client is not authorized to use the provided grant type. Configured grant types: [implicit].",
		"", 400, CodeProviderMisset, sayMisconfigured, "Allow the grant types",
	},
	{
		"groups", TypeOkta, "server_error",
		"The groups claim matched too many groups and must be configured to match fewer groups.", "", 400,
		CodeGroupsTooMany, sayGroups, "filter",
	},
	{
		"throttled", TypeOkta, "invalid_grant", "API call exceeded rate limit due to too many requests.", "",
		429, CodeProviderUnavailable, sayUnavailable, "throttles",
	},
	{
		"DPoP", TypeOkta, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.", "", 400,
		CodeProviderMisset, sayMisconfigured, "DPoP",
	},

	{
		"wrong secret", TypeEntra, "invalid_client", "7000215", "", 401, CodeProviderMisset,
		sayMisconfigured, "secret's id",
	},
	{
		"expired secret", TypeEntra, "invalid_client", "7000222", "", 401, CodeProviderMisset,
		sayMisconfigured, "expired",
	},
	{
		"unknown client", TypeEntra, "unauthorized_client", "700016", "", 400, CodeProviderMisset,
		sayMisconfigured, clientID,
	},
	{
		"no credentials", TypeEntra, "invalid_client", "7000218", "", 401, CodeProviderMisset,
		sayMisconfigured, "set client_secret",
	},
	{
		"secret of a public client", TypeEntra, "invalid_client", "700025", "", 401, CodeProviderMisset,
		sayMisconfigured, "public client",
	},
	{
		"certificate", TypeEntra, "invalid_client", "700027", "", 401, CodeProviderMisset, sayMisconfigured,
		"Upload the certificate",
	},
	{
		"assertion, time", TypeEntra, "invalid_client", "700024", "", 401, CodeProviderMisset,
		sayMisconfigured, "clock",
	},
	{
		"federation", TypeEntra, "invalid_client", "70021", "", 401, CodeProviderMisset, sayMisconfigured,
		"federated credential",
	},
	{
		"federation, issuer", TypeEntra, "invalid_client", "700211", "", 401, CodeProviderMisset,
		sayMisconfigured, "issuer, subject and audience",
	},
	{
		"federation, audience", TypeEntra, "invalid_client", "700212", "", 401, CodeProviderMisset,
		sayMisconfigured, "issuer, subject and audience",
	},
	{
		"federation, subject", TypeEntra, "invalid_client", "700213", "", 401, CodeProviderMisset,
		sayMisconfigured, "issuer, subject and audience",
	},
	{"code, expired", TypeEntra, "invalid_grant", "70008", "", 400, CodeSignInInvalid, sayStale, "late"},
	{"code, used", TypeEntra, "invalid_grant", "54005", "", 400, CodeSignInInvalid, sayStale, "repeated"},
	{
		"code, malformed", TypeEntra, "invalid_request", "9002313", "", 400,
		CodeSignInInvalid, sayInvalid, "attack",
	},
	{"PKCE", TypeEntra, "invalid_grant", "501481", "", 400, CodeSignInInvalid, sayInvalid, "attack"},
	{
		"PKCE missing", TypeEntra, "invalid_request", "9002325", "", 400, CodeProviderMisset,
		sayMisconfigured, "type Web",
	},
	{
		"single-page application", TypeEntra, "invalid_request", "9002327", "", 400, CodeProviderMisset,
		sayMisconfigured, "type Web",
	},
	{
		"redirect URI", TypeEntra, "invalid_client", "500112", "", 400, CodeProviderMisset,
		sayMisconfigured, redirectURL,
	},
	{
		"redirect URI, as at first", TypeEntra, "invalid_request", "50011", "", 400, CodeProviderMisset,
		sayMisconfigured, redirectURL,
	},
	{"another's code", TypeEntra, "invalid_grant", "70000", "", 400, CodeSignInInvalid, sayStale, "rare"},
	{
		"another tenant's code", TypeEntra, "invalid_grant", "700005", "", 400,
		CodeSignInInvalid, sayInvalid, "attack",
	},
	{
		"grant", TypeEntra, "unsupported_grant_type", "70003", "", 400, CodeProviderMisset, sayMisconfigured,
		"authorization code flow",
	},
	{"disabled", TypeEntra, "invalid_grant", "50057", "", 400, CodeSignInRefused, sayDisabled, "disabled"},
	{"deleted", TypeEntra, "invalid_grant", "50034", "", 400, CodeSignInRefused, sayDisabled, "deleted"},
	{
		"a parameter lost", TypeEntra, "invalid_request", "900144", "", 400, CodeProviderMisset,
		sayMisconfigured, "parameter",
	},
	{
		"throttled", TypeEntra, "temporarily_unavailable", "90055", "", 429, CodeProviderUnavailable,
		sayUnavailable, "throttles",
	},
	{
		"loop", TypeEntra, "invalid_grant", "50196", "", 400, CodeProviderUnavailable,
		sayUnavailable, "five minutes",
	},
	{"password", TypeEntra, "invalid_grant", "50126", "", 400, CodeSignInRefused, sayRefused, "credentials"},
}

// How they refuse a refresh token.
var atRefreshing = []said{
	{
		"dead", TypeOkta, "invalid_grant", "The refresh token is invalid or expired.", "", 400,
		CodeGrantOver, sayEnded, "deactivated",
	},
	{
		"unassigned", TypeOkta, "access_denied", "User is not assigned to the client application.", "", 400,
		CodeAccessEnded, sayNotAssigned, "Assign",
	},
	{
		"policy", TypeOkta, "access_denied",
		"Policy evaluation failed for this request, please check the policy configurations.", "", 401,
		CodeLoginRequired, sayAgain, "policy",
	},
	{
		"consent withdrawn", TypeOkta, "consent_required", "The following scopes require user consent: [x].",
		"", 400, CodeLoginRequired, sayAgain, "consent",
	},
	{"scopes grown", TypeOkta, "access_denied", "Some of the scopes requested for the refresh request were not granted in the original authorize request. Denied scopes: x.", "", 400, CodeLoginRequired, sayAgain, "scopes"},
	{
		"wrong secret", TypeOkta, "invalid_client",
		"The client secret supplied for a confidential client is invalid.", "", 401, CodeProviderMisset,
		sayMisconfigured, "secret",
	},
	{"grant", TypeOkta, "unauthorized_client", "The client is not authorized to use the provided grant type. Configured grant types: [authorization_code].", "", 400, CodeProviderMisset, sayMisconfigured, "Refresh Token"},
	{
		"groups", TypeOkta, "server_error",
		"The groups claim matched too many groups and must be configured to match fewer groups.", "", 400,
		CodeGroupsTooMany, sayGroups, "filter",
	},
	{
		"throttled", TypeOkta, "invalid_grant", "API call exceeded rate limit due to too many requests.", "",
		429, CodeProviderUnavailable, sayUnavailable, "throttles",
	},
	{"down", TypeOkta, "server_error", "", "", 503, CodeProviderUnavailable, sayUnavailable, "overloaded"},

	{
		"inactive", TypeEntra, "invalid_grant", "700082", "token_expired", 400,
		CodeGrantOver, sayEnded, "90 days",
	},
	{
		"single-page application", TypeEntra, "invalid_grant", "700084", "token_expired", 400,
		CodeGrantOver, sayEnded, "type Web",
	},
	{
		"sign-in frequency", TypeEntra, "invalid_grant", "70043", "token_expired", 400, CodeGrantOver,
		sayEnded, "sign-in frequency",
	},
	{"revoked", TypeEntra, "invalid_grant", "50173", "", 400, CodeGrantOver, sayEnded, "revoked"},
	{"invalid", TypeEntra, "invalid_grant", "70000", "bad_token", 400, CodeGrantOver, sayEnded, "log"},
	{"disabled", TypeEntra, "invalid_grant", "50057", "", 400, CodeAccessEnded, sayDisabled, "disabled"},
	{"deleted", TypeEntra, "invalid_grant", "50034", "", 400, CodeAccessEnded, sayDisabled, "deleted"},
	{"unassigned", TypeEntra, "invalid_grant", "50105", "", 400, CodeAccessEnded, sayNotAssigned, "Assign"},
	{
		"more proof", TypeEntra, "interaction_required", "50076", "basic_action", 400, CodeLoginRequired,
		sayAgain, "prove more",
	},
	{
		"more proof, as a grant", TypeEntra, "invalid_grant", "50079", "basic_action", 400, CodeLoginRequired,
		sayAgain, "prove more",
	},
	{
		"policy", TypeEntra, "interaction_required", "53003", "message_only", 400, CodeLoginRequired,
		sayAgain, "conditional access",
	},
	{
		"policy, unnamed", TypeEntra, "invalid_grant", "53003", "", 400, CodeLoginRequired,
		sayAgain, "conditional access",
	},
	{
		"unknown, but lifted", TypeEntra, "invalid_grant", "99999", "additional_action", 400,
		CodeLoginRequired, sayAgain, "additional_action",
	},
	{
		"consent withdrawn", TypeEntra, "invalid_grant", "65001", "consent_required", 400,
		CodeLoginRequired, sayAgain, "consent",
	},
	{
		"password expired", TypeEntra, "invalid_grant", "50055", "user_password_expired", 400,
		CodeLoginRequired, sayAgain, "password",
	},
	{
		"expired secret", TypeEntra, "invalid_client", "7000222", "", 401, CodeProviderMisset,
		sayMisconfigured, "expired",
	},
	{
		"throttled", TypeEntra, "temporarily_unavailable", "90055", "", 429, CodeProviderUnavailable,
		sayUnavailable, "throttles",
	},
	{
		"loop", TypeEntra, "invalid_grant", "50196", "", 400, CodeProviderUnavailable,
		sayUnavailable, "five minutes",
	},
	{
		"failure", TypeEntra, "server_error", "90033", "", 500, CodeProviderUnavailable,
		sayUnavailable, "overloaded",
	},

	{"dead", TypeOIDC, "invalid_grant", "", "", 400, CodeGrantOver, sayEnded, "log"},
	{"denied", TypeOIDC, "access_denied", "", "", 400, CodeSignInRefused, sayRefused, "log"},
	{"login", TypeOIDC, "login_required", "", "", 400, CodeLoginRequired, sayAgain, "no session"},
	{
		"broken", TypeOIDC, "invalid_request", "", "", 400, CodeProviderMisset,
		sayMisconfigured, "registration",
	},
	{"new", TypeOIDC, "something_new", "", "", 400, CodeSignInRefused, sayRefused, "log"},
	{"slow down", TypeOIDC, "slow_down", "", "", 400, CodeProviderUnavailable, sayUnavailable, "overloaded"},
	{
		"time-out of a gateway", TypeOIDC, "request_timeout", "", "", 400, CodeProviderUnavailable,
		sayUnavailable, "overloaded",
	},
	{"unauthorized", TypeOIDC, "unauthorized", "", "", 401, CodeSignInRefused, sayRefused, "log"},
	{
		"strange denial", TypeOkta, "access_denied", "Please try again.", "", 400, CodeSignInRefused,
		sayRefused, "log",
	},
	{
		"locked", TypeEntra, "invalid_grant", "50053", "", 400, CodeSignInRefused, sayDisabled, "locked",
	},
	{"password changed", TypeEntra, "invalid_grant", "50133", "", 400, CodeGrantOver, sayEnded, "password"},
}

func (s said) words() string {
	if s.kind == TypeEntra && s.description != "" {
		return "AADSTS" + s.description + ": Words of Entra's." + entraTail
	}
	return s.description
}

func (s said) provider(t *testing.T, f *idp) *Provider {
	t.Helper()
	switch s.kind {
	case TypeOkta:
		return f.okta(t, Config{ClientSecret: "secret-canary-42"})
	case TypeEntra:
		return f.entra(t, Config{ClientSecret: "secret-canary-42"})
	}
	return f.plain(t, Config{ClientSecret: "secret-canary-42"})
}

func (s said) holds(t *testing.T, err error) *Error {
	t.Helper()
	e := refused(t, err, s.code)
	if e.Message != s.say {
		t.Errorf("the person reads %q, want %q", e.Message, s.say)
	}
	if !strings.Contains(e.Remedy, s.remedy) || strings.ContainsAny(e.Remedy, "{}") {
		t.Errorf("the admin reads %q, want %q", e.Remedy, s.remedy)
	}
	if s.kind == TypeEntra && s.description != "" && e.Trace != entraIDs {
		t.Errorf("the ids are %q", e.Trace)
	}
	return e
}

func TestRefusalsAtTheCallback(t *testing.T) {
	t.Parallel()
	for _, s := range atCallback {
		t.Run(s.kind+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := s.provider(t, f)
			a, _ := begin(t, p, BeginOptions{})
			_, err := p.Finish(t.Context(), a, url.Values{
				"state": {a.State}, "error": {s.error}, "error_description": {s.words()},
				"error_subcode": {s.detail},
			})
			s.holds(t, err)
		})
	}
}

func (s said) answer() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := map[string]any{"error": s.error, "error_description": s.words()}
		if s.kind == TypeEntra {
			body["suberror"], body["trace_id"], body["correlation_id"] = s.detail,
				"3c6f1b1e-8f11-4a52-9a31-5a0e7be20100", "0f7a9a1d-2c1d-4f43-8d93-1b2c3d4e5f60"
		} else {
			w.Header().Set("X-Okta-Request-Id", "aReq1sim")
		}
		status(s.status, string(mustJSON(body)))(w, r)
	}
}

func TestRefusalsOfCodes(t *testing.T) {
	t.Parallel()
	for _, s := range atToken {
		t.Run(s.kind+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := s.provider(t, f)
			f.answer("token", s.answer())
			_, err := f.signIn(t, p, f.oktaClaims())
			e := s.holds(t, err)
			if s.kind == TypeOkta && e.Trace != "request aReq1sim" {
				t.Errorf("the ids are %q", e.Trace)
			}
		})
	}
}

func TestRefusalsOfRefreshes(t *testing.T) {
	t.Parallel()
	for _, s := range atRefreshing {
		t.Run(s.kind+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := s.provider(t, f)
			f.answer("token", s.answer())
			_, err := p.Refresh(t.Context(), "rt-canary-77ab", Identity{})
			e := s.holds(t, err)
			want := map[string]Outcome{CodeAccessEnded: OutcomeGone, CodeGrantOver: OutcomeOver}[e.Code]
			if e.Outcome != want { // S13: what no table calls final is unknown
				t.Errorf("the outcome is %s, want %s", e.Outcome, want)
			}
			if s.description == entraLoop && e.RetryAfter < 5*time.Minute {
				t.Errorf("try again after %v", e.RetryAfter)
			}
			if strings.Contains(fmt.Sprint(err, e.Remedy, e.Message), "canary") { // S2
				t.Errorf("%v shows the token", err)
			}
		})
	}
}

// A trace is ids and nothing else, however much more a stranger writes.
func TestTraceIsIDsAlone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"AADSTS50058: x\r\nTrace ID: 3C6F1B1E-8f11-4a52-9a31-5a0e7be20100\r\nCorrelation ID: 0f7a9a1d-2c1d-4f43-8d93-1b2c3d4e5f60": entraIDs,
		"Trace ID: <script>alert(1)</script>":             "",
		"Trace ID: 3c6f1b1e-8f11-4a52-9a31-5a0e7be20100x": "",
		"": "",
	} {
		if got := (providerSaid{description: text}).trace(); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	if got := (providerSaid{
		ids: []providerID{{"request", "a\nb"}, {"error", "oae-1"}},
	}).trace(); got != "error oae-1" {
		t.Errorf("got %q", got)
	}
}
