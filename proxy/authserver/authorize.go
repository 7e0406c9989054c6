package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
	"vexa-sso/proxy/page"
)

// maxRequest is the greatest length of an authorization request as a path, in bytes: a return after sign-in
// is not longer.
const maxRequest = 2048

// authRequest is a valid authorization request: client and redirect URI are right, so that an error may be
// sent there.
type authRequest struct {
	client      Client
	redirectURI string
	state       string
	scopes      []string // requested; none: all that the person has
	challenge   string
}

// unanswerable is the error of an authorization request that must not be answered by a redirect, because the
// redirect URI is not known to be the client's (RFC 6749 section 4.1.2.1).
type unanswerable struct{ why string }

func (e *unanswerable) Error() string { return e.why }

// readAuthRequest parses and checks an authorization request (RFC 6749 section 4.1.1, as narrowed by OAuth
// 2.1). The error is an *unanswerable, an *oidc.Error to be sent to the redirect URI of the result, or that
// of Clients.
func (s *Server) readAuthRequest(ctx context.Context, query string) (authRequest, error) {
	values, err := url.ParseQuery(query)
	switch {
	case err != nil:
		return authRequest{}, &unanswerable{"The request cannot be read."}
	case len(authorizePath+"?"+values.Encode()) > maxRequest:
		return authRequest{}, &unanswerable{"The request is too long."}
	}
	p := parameters(values)
	req, err := s.answerable(ctx, p)
	if err != nil {
		return req, err
	}
	if len(p["state"]) == 1 && isPlain(p.get("state")) {
		req.state = p.get("state") // also with errors
	}
	if err := p.check(); err != nil {
		return req, err
	}
	if err := p.checkResources(s.public); err != nil {
		return req, err
	}
	if err := checkUnsupported(p); err != nil {
		return req, err
	}
	if req.challenge, err = challengeOf(p); err != nil {
		return req, err
	}
	req.scopes, err = scopesOf(p.get("scope"), s.scopes)
	return req, err
}

// answerable checks client and redirect URI, before anything else is looked at.
func (s *Server) answerable(ctx context.Context, p parameters) (authRequest, error) {
	if len(p["client_id"]) != 1 || len(p["redirect_uri"]) != 1 {
		return authRequest{}, &unanswerable{"The request must name one client_id and one redirect_uri."}
	}
	client, err := s.clients.Client(ctx, p.get("client_id"))
	if errors.Is(err, ErrUnknownClient) {
		return authRequest{}, &unanswerable{"The program that sent you here (client_id) is not registered."}
	}
	if err != nil {
		return authRequest{}, err
	}
	uri := p.get("redirect_uri")
	if !client.redirects(uri) {
		return authRequest{}, &unanswerable{
			"The address that the answer should go to (redirect_uri) is not registered for " +
				client.Name + ".",
		}
	}
	return authRequest{client: client, redirectURI: uri}, nil
}

// checkUnsupported refuses the parameters that ask for another response than we give: to ignore them would
// answer something else than was asked. Unknown parameters are ignored (RFC 6749 section 3.1).
func checkUnsupported(p parameters) error {
	switch kind := p.get("response_type"); kind {
	case string(oidc.ResponseTypeCode):
	case "":
		return invalid("response_type is missing")
	default:
		return &oidc.Error{ErrorType: "unsupported_response_type", Description: "response_type must be code"}
	}
	if mode := p.get("response_mode"); mode != "" && mode != string(oidc.ResponseModeQuery) {
		return invalid("response_mode must be query")
	}
	if p.get("request") != "" {
		return oidc.ErrRequestNotSupported().WithDescription("request objects are not supported")
	}
	if p.get("request_uri") != "" {
		return &oidc.Error{
			ErrorType: "request_uri_not_supported", Description: "request objects are not supported",
		}
	}
	// Consent is asked for every time, and the sign-in has to be fresh; neither more nor less can be had.
	if prompt := p.get("prompt"); prompt != "" && prompt != oidc.PromptConsent {
		return invalid("prompt is not supported: everybody is asked for consent every time")
	}
	return nil
}

// challengeOf returns the PKCE code challenge, which is required (C10). The method plain is refused: it
// protects nothing where the request can be read (RFC 9700 section 2.1.1).
func challengeOf(p parameters) (string, error) {
	challenge := p.get("code_challenge")
	switch {
	case challenge == "":
		return "", invalid("code_challenge is missing: PKCE is required (RFC 7636)")
	case p.get("code_challenge_method") != string(oidc.CodeChallengeMethodS256):
		return "", invalid("code_challenge_method must be S256")
	case !challengeText.MatchString(challenge):
		return "", invalid("code_challenge is not the base64url of a SHA-256")
	}
	return challenge, nil
}

// authorize is the authorization endpoint: it asks the person at the browser whether the client may act for
// them. They are asked every time (G1, G3): on a person's computer every program can pass itself off as one
// that was agreed to before.
func (s *Server) authorize(v *proxy.Visit) error {
	if err := allowMethods(v, http.MethodGet); err != nil {
		return err
	}
	req, err := s.readAuthRequest(v.Request().Context(), v.Request().URL.RawQuery)
	var no *unanswerable
	var refused *oidc.Error
	switch {
	case errors.As(err, &no):
		return proxy.Refuse("tool_request_invalid", no.why)
	case errors.As(err, &refused):
		v.Redirect(req.errorURL(s.issuer, refused))
		return nil
	case err != nil:
		return err
	}
	person, err := v.FreshlySignedIn()
	if err != nil {
		return err
	}
	scopes, refused := grantable(person, req.scopes)
	if refused != nil {
		v.Redirect(req.errorURL(s.issuer, refused))
		return nil
	}
	return s.ask(v, person, req, scopes)
}

// grantable returns those of the requested scopes that the person has and so can give.
func grantable(person proxy.Person, asked []string) ([]string, *oidc.Error) {
	theirs := person.Decision.Grant.Scopes
	if len(asked) > 0 {
		theirs = theirs.Intersect(rule.NewScopes(asked...))
	}
	if theirs == "" {
		return nil, &oidc.Error{ErrorType: oidc.AccessDenied, Description: "the person who signed in has " +
			"none of the scopes that were asked for"}
	}
	return theirs.List(), nil
}

// ask shows the consent page. All that the answer depends on goes through the browser in a ticket that is
// sealed to this session.
func (s *Server) ask(v *proxy.Visit, person proxy.Person, req authRequest, scopes []string) error {
	code, err := mapping.NewTokenValue(s.random, codeValue)
	if err != nil {
		return err
	}
	t := ticket{
		Kind: KindCode, Code: code, Client: req.client.ID, RedirectURI: req.redirectURI, State: req.state,
		Challenge: req.challenge, Scopes: scopes,
		Expires: s.now().Add(TicketLifetime),
	}
	sealed, err := s.seal(t, person)
	if err != nil {
		return err
	}
	v.Pages().Consent(v.Writer(), v.Request(), page.Consent{
		Tool: req.client.Name, Client: req.client.ID, RedirectHost: hostname(req.redirectURI),
		Person: nameOf(person), Provider: s.titleOf(person),
		Scopes: scopeLines(scopes), Lifetime: s.lifetime,
		Fields: []page.Field{{Name: "ticket", Value: sealed}}, Action: consentPath,
	})
	return nil
}

// errorURL returns the redirect URI with an error response (RFC 6749 section 4.1.2.1).
func (req authRequest) errorURL(issuer string, e *oidc.Error) string {
	return req.responseURL(issuer,
		url.Values{"error": {string(e.ErrorType)}, "error_description": {proxy.Describable(e.Description)}})
}

// responseURL returns the redirect URI with a response: with the state of the request, and with iss, so that
// a client of several servers cannot be made to take the response of one for another's (RFC 9207).
func (req authRequest) responseURL(issuer string, answer url.Values) string {
	if req.state != "" {
		answer.Set("state", req.state)
	}
	answer.Set("iss", issuer)
	return addResponse(req.redirectURI, answer)
}

// location returns the path of the same request at our authorization endpoint.
func (req authRequest) location() string {
	q := url.Values{
		"client_id": {req.client.ID}, "redirect_uri": {req.redirectURI},
		"response_type": {string(oidc.ResponseTypeCode)},
		"scope":         {strings.Join(req.scopes, " ")}, "code_challenge": {req.challenge},
		"code_challenge_method": {string(oidc.CodeChallengeMethodS256)},
	}
	if req.state != "" {
		q.Set("state", req.state)
	}
	return authorizePath + "?" + q.Encode()
}

func hostname(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func scopeLines(scopes []string) (lines []page.ScopeLine) {
	for _, name := range scopes {
		lines = append(lines, page.ScopeLine{Name: name})
	}
	return lines
}

// nameOf returns what a person knows themselves by.
func nameOf(person proxy.Person) string {
	id := person.Account.Identity
	for _, name := range []string{id.Email, id.UnprovenEmail, id.Name} {
		if strings.TrimSpace(name) != "" {
			return name
		}
	}
	return person.Account.ID
}

func (s *Server) titleOf(person proxy.Person) string {
	if title := s.titles[person.Account.Provider]; title != "" {
		return title
	}
	return person.Account.Provider
}
