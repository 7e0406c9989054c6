package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

// Sentences for people that several failures share.
const (
	sayUnavailable   = "Your organisation's sign-in service can't be reached at the moment. Try again in a little while."
	sayMisconfigured = "Sign-in is not set up correctly. Tell your administrator."
	sayInvalid       = "This sign-in could not be completed. Start it again."
	sayStale         = "This sign-in has already been used or took too long. Start it again."
	sayRefused       = "Your organisation's sign-in service refused this sign-in."
	sayCancelled     = "The sign-in was cancelled."
	sayPolicy        = "Your organisation's access policy does not allow this sign-in."
	sayDisabled      = "Your account at your organisation is not active."
	sayPassword      = "Your password has expired. Change it and sign in again."
	sayNotAssigned   = "You are not assigned to this application. Ask your administrator for access."
	sayEnded         = "Your organisation's sign-in service has ended your sign-in. If you still should have access, sign in again."
	sayAgain         = "You need to sign in again."
)

func unavailable(cause error, retryAfter time.Duration) *Error {
	return &Error{
		Code: CodeProviderUnavailable, Message: sayUnavailable, Err: cause, RetryAfter: retryAfter,
		Remedy: "Check that the provider is up and that this machine can reach it (proxy_url, ca_file, firewall, DNS).",
	}
}

// unreachable is a call that got no answer.
func unreachable(doing string, err error) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	e := unavailable(fmt.Errorf("%s: %w", doing, reduced(err)), 0)
	if errors.Is(err, context.Canceled) {
		e.Remedy = "Nothing: whoever asked went away before the provider answered."
	}
	return e
}

func misconfigured(remedy string, cause error) *Error {
	return &Error{Code: CodeProviderMisset, Message: sayMisconfigured, Remedy: remedy, Err: cause}
}

func invalid(remedy string, cause error) *Error {
	return &Error{Code: CodeSignInInvalid, Message: sayInvalid, Remedy: remedy, Err: cause}
}

// temporary says whether an HTTP status means "later" rather than "no".
func temporary(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// providerSaid is a provider's own refusal. All of it is text that an attacker may have written: it chooses among our
// sentences and is quoted for the log, nothing more.
type providerSaid struct {
	code        string // error
	description string // error_description
	detail      string // error_subcode, suberror
	status      int    // of the token endpoint; 0 at the callback
	grant       string // grant_type, at the token endpoint
	request     string // the provider's id for the request, for its support
}

// callbackRefusal reads an error callback (RFC 6749, section 4.1.2.1).
func callbackRefusal(params url.Values) providerSaid {
	return providerSaid{
		code:        params.Get("error"),
		description: params.Get("error_description"),
		detail:      params.Get("error_subcode"),
	}
}

// refusal turns what a provider said into what we say.
func (s providerSaid) refusal(providerType string) *Error {
	m := s.meaning(providerType)
	cause := fmt.Errorf("the provider said %s: %s", quoted(s.code), quoted(s.description))
	if s.detail != "" {
		cause = fmt.Errorf("%w (%s)", cause, quoted(s.detail))
	}
	if s.status != 0 {
		cause = fmt.Errorf("%w, with status %d", cause, s.status)
	}
	if s.request != "" {
		cause = fmt.Errorf("%w, request %s", cause, quoted(s.request))
	}
	return &Error{Code: m.code, Message: m.message, Remedy: m.remedy, Err: cause}
}

// meaning is what the refusal means for the one who asked: somebody who signs in, or whose sign-in is being renewed.
func (s providerSaid) meaning(providerType string) meaning {
	switch {
	case temporary(s.status):
		return meanings["temporarily_unavailable"]
	case s.grant == grantRefresh:
		return s.atRefresh(providerType)
	}
	return s.atSignIn(providerType)
}

// atSignIn looks for the most telling entry: the provider's number or sentence, then the standard's code.
func (s providerSaid) atSignIn(providerType string) meaning {
	switch providerType {
	case TypeEntra:
		if m, ok := entraMeanings[aadsts(s.description)]; ok {
			return m
		}
		if s.code == "access_denied" && s.detail == "cancel" {
			return meaning{CodeSignInRefused, sayCancelled, "Nothing, unless an administrator's consent was asked for: then grant it in Entra ID."}
		}
		if s.detail == "consent_required" {
			return meanings["consent_required"]
		}
	case TypeOkta:
		for _, o := range oktaMeanings {
			if strings.Contains(s.description, o.sentence) {
				return o.meaning
			}
		}
	}
	if m, ok := meanings[s.code]; ok {
		return m
	}
	return meaning{CodeSignInRefused, sayRefused, "Look for this sign-in in the provider's own log."}
}

// meaning is what an answer means here: our code, the sentence for the person, what the admin can do.
type meaning struct{ code, message, remedy string }

// meanings are those of the standards: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 1.0 section 3.1.2.6, RFC 8707.
var meanings = map[string]meaning{
	"access_denied":              {CodeSignInRefused, sayRefused, "The person or the provider's policy said no; see the provider's own log."},
	"login_required":             {CodeLoginRequired, sayAgain, "Nothing: the provider has no session for this person."},
	"interaction_required":       {CodeLoginRequired, sayAgain, "Nothing: the provider wants to ask the person something."},
	"account_selection_required": {CodeLoginRequired, sayAgain, "Nothing: the person is signed in with several accounts."},
	"consent_required":           {CodeLoginRequired, sayAgain, "Grant consent to the application for everybody at the provider."},
	"invalid_scope":              {CodeProviderMisset, sayMisconfigured, "The provider does not know a scope that is asked for: check scopes, or create it there."},
	"invalid_target":             {CodeProviderMisset, sayMisconfigured, "The scopes belong to another API than the provider expects: check scopes."},
	"invalid_request":            {CodeProviderMisset, sayMisconfigured, "Compare client_id, redirect URI and the application's type with the registration at the provider."},
	"invalid_client":             {CodeProviderMisset, sayMisconfigured, "Check client_id and client_secret: the provider does not accept them."},
	"unauthorized_client":        {CodeProviderMisset, sayMisconfigured, "Allow the grant type Authorization Code (and Refresh Token) in the registration, and check client_id."},
	"unsupported_grant_type":     {CodeProviderMisset, sayMisconfigured, "Allow the grant type Authorization Code in the registration."},
	"unsupported_response_type":  {CodeProviderMisset, sayMisconfigured, "Allow the response type code in the registration."},
	"invalid_grant":              {CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or came late. Else compare redirect URI and clocks."},
	"server_error":               {CodeProviderUnavailable, sayUnavailable, "The provider failed; see its own log."},
	"temporarily_unavailable":    {CodeProviderUnavailable, sayUnavailable, "The provider is overloaded or throttles this client; see its own log."},
}

// oktaMeanings are sentences of Okta's error catalogue that say more than the code beside them.
var oktaMeanings = []struct {
	sentence string
	meaning
}{
	{"User is not assigned", meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of theirs, to the application in Okta."}},
	{"Policy evaluation failed", meaning{CodeSignInRefused, sayPolicy, "Look at the authentication policy of the application and the access policies of the authorization server in Okta."}},
	{"matched too many groups", meaning{CodeGroupsTooMany, "You are in more groups than your organisation's sign-in service can list. Tell your administrator.", "Narrow the groups claim's filter in Okta: more than 100 groups of this person match."}},
	{"scopes are not configured", meaning{CodeProviderMisset, sayMisconfigured, "Create the scope (groups, for example) on this authorization server in Okta, or take it out of scopes."}},
	{"scopes require user consent", meaning{CodeLoginRequired, sayAgain, "Set the scope's consent to Implicit in Okta, or let people consent."}},
	{"client secret supplied", meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong or inactive: copy an active one from the application in Okta."}},
	{"Invalid value for 'client_id'", meaning{CodeProviderMisset, sayMisconfigured, "Okta does not know this client_id on this authorization server."}},
	{"No client credentials found", meaning{CodeProviderMisset, sayMisconfigured, "The application in Okta needs client authentication: set client_secret."}},
	{"Cannot supply multiple client credentials", meaning{CodeProviderMisset, sayMisconfigured, "Choose one client authentication method in Okta."}},
	{"PKCE code challenge is required", meaning{CodeProviderMisset, sayMisconfigured, "A proxy in between has taken code_challenge off the request."}},
	{"PKCE verification failed", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another sign-in was used. Many of these may be an attack."}},
	{"grant was issued to another client", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another application was used. Many of these may be an attack."}},
	{"'redirect_uri' does not match", meaning{CodeProviderMisset, sayMisconfigured, "public_url changed between the two halves of a sign-in, or replicas disagree about it."}},
	{"provided grant type", meaning{CodeProviderMisset, sayMisconfigured, "Allow the grant types Authorization Code and Refresh Token in the application in Okta."}},
	{"exceeded the maximum number of requests", meaning{CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; see its rate limit dashboard."}},
	{"exceeded rate limit", meaning{CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; see its rate limit dashboard."}},
}

// entraMeanings are Entra's AADSTS numbers.
var entraMeanings = func() map[string]meaning {
	byNumber := map[string]meaning{}
	add := func(m meaning, numbers ...string) {
		for _, n := range numbers {
			byNumber[n] = m
		}
	}
	add(meaning{CodeSignInRefused, sayCancelled, "Nothing: the person declined to consent."}, "65004")
	add(meaning{CodeSignInRefused, "Your administrator has to approve this application before you can sign in.", "Grant admin consent to the application in Entra ID."}, "90094", "90095")
	add(meaning{CodeLoginRequired, sayAgain, "Grant admin consent to the application in Entra ID."}, "65001")
	add(meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of theirs, to the enterprise application in Entra ID."}, "50105")
	add(meaning{CodeTenantRefused, "This account belongs to another organisation.", "Invite the person as a guest, or list their tenant in allowed_tenants."}, "50020")
	add(meaning{CodeSignInRefused, sayPolicy, "A conditional access policy stopped it; see the sign-in log in Entra ID."}, "53000", "53001", "53002", "53003", "530003", "530032", "50131", "50158")
	add(meaning{CodeSignInRefused, sayDisabled, "The account is disabled or deleted in Entra ID."}, "50057", "50034", "50053")
	add(meaning{CodeSignInRefused, sayPassword, "Nothing: the person has to change their password."}, "50055", "50144")
	add(meaning{CodeLoginRequired, sayAgain, "Nothing: Entra wants the person to sign in, choose an account or prove more."}, "50058", "16000", "50072", "50074", "50076", "50078", "50079")
	add(meaning{CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or came late."}, "54005", "70008", "70000", "50173", "700082", "700084", "70043")
	add(meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another sign-in was used. Many of these may be an attack."}, "501481", "700005", "9002313")
	add(meaning{CodeProviderMisset, sayMisconfigured, "Register the redirect URI, type Web, in Entra ID exactly as public_url makes it."}, "50011", "500112", "900971", "9002325", "9002326", "9002327")
	add(meaning{CodeProviderMisset, sayMisconfigured, "Check client_id, tenant and cloud: Entra knows no such application there."}, "700016", "90002", "50194", "90038", "90051")
	add(meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong; a usual cause is that the secret's id was copied instead of its value."}, "7000215")
	add(meaning{CodeProviderMisset, sayMisconfigured, "The client secret has expired: make a new one in Entra ID."}, "7000222")
	add(meaning{CodeProviderMisset, sayMisconfigured, "The registration needs client authentication: set client_secret."}, "7000218")
	add(meaning{CodeProviderMisset, sayMisconfigured, "The registration is of a public client: take client_secret away, or register the redirect URI as type Web."}, "700025")
	add(meaning{CodeProviderMisset, sayMisconfigured, "The client's certificate or federated credential is not the one registered in Entra ID, or has expired."}, "700024", "700027", "70021", "700211", "700212", "700213")
	add(meaning{CodeProviderMisset, sayMisconfigured, "Check scopes: Entra does not know one of them, or they belong to another API."}, "70011", "650053", "9010010", "28000", "28003")
	add(meaning{CodeProviderMisset, sayMisconfigured, "Allow the authorization code flow in the registration."}, "700054", "700051", "70003")
	add(meaning{CodeProviderMisset, sayMisconfigured, "A proxy in between has taken a parameter off the request."}, "90014", "900144")
	add(meaning{CodeProviderUnavailable, sayUnavailable, "Entra is overloaded or throttles this client."}, "90033", "90055", "50196")
	return byNumber
}()

var aadstsNumber = regexp.MustCompile(`AADSTS(\d{4,8})\b`)

// aadsts finds Entra's error number in its text, or "".
func aadsts(text string) string {
	if m := aadstsNumber.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// tokenErrorCode is the error that the token endpoint named, in the standard's shape or in that of Okta's platform.
func tokenErrorCode(e *oauth2.RetrieveError) string {
	if e.ErrorCode != "" {
		return e.ErrorCode
	}
	var platform struct {
		ErrorCode string `json:"errorCode"`
	}
	_ = json.Unmarshal(e.Body, &platform) // not JSON: no code
	return platform.ErrorCode
}

// tokenRefusal reads the token endpoint's answer (RFC 6749, section 5.2) out of x/oauth2's error, which carries the whole
// response. The secrets of this exchange are blotted out of whatever the provider echoed.
func tokenRefusal(err error, grantType, providerType string, now time.Time, secrets ...string) *Error {
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) {
		return unreachable("asking the token endpoint for "+grantType, err)
	}
	var more struct {
		SubError     string `json:"suberror"`
		ErrorSummary string `json:"errorSummary"` // Okta's platform
		TraceID      string `json:"trace_id"`     // Entra
	}
	_ = json.Unmarshal(e.Body, &more) // not JSON: no more
	said := providerSaid{
		code:        tokenErrorCode(e),
		description: e.ErrorDescription,
		detail:      more.SubError,
		status:      e.Response.StatusCode,
		grant:       grantType,
		request:     more.TraceID,
	}
	if said.description == "" {
		said.description = more.ErrorSummary
	}
	if said.request == "" {
		said.request = e.Response.Header.Get("X-Okta-Request-Id")
	}
	said.code, said.description = blot(said.code, secrets), blot(said.description, secrets)
	said.detail, said.request = blot(said.detail, secrets), blot(said.request, secrets)
	refusal := said.refusal(providerType)
	if said.code == "" && (refusal.Code == CodeSignInRefused || refusal.Code == CodeAccessEnded) {
		refusal = unavailable(fmt.Errorf("the token endpoint answered %d without saying why", said.status), 0)
	}
	if refusal.Code == CodeProviderUnavailable {
		refusal.RetryAfter = retryAfter(e.Response.Header, now)
	}
	return refusal
}

// signedToken is any compact JWS or JWE.
var signedToken = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2,4}`)

// blot takes every secret, and whatever looks like a token, out of text.
func blot(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	return signedToken.ReplaceAllString(text, "[token]")
}

// quoted makes strangers' text fit for a log: one line, escaped, at most 300 bytes of it.
func quoted(text string) string { return strconv.Quote(capped(text, 300)) }

// capped cuts text at most bytes, between characters.
func capped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// reduced keeps an error's kind for errors.Is and errors.As, and of its text what fits in a log line.
func reduced(err error) error { return &reducedError{err} }

type reducedError struct{ err error }

func (e *reducedError) Error() string {
	text := strconv.Quote(capped(e.err.Error(), 300))
	return text[1 : len(text)-1]
}

func (e *reducedError) Unwrap() error { return e.err }
