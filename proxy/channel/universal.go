package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

// UniversalLogout ends everything of a person when Okta says so (global token revocation,
// draft-parecki-oauth-global-token-revocation; Okta calls it Universal Logout): sessions, streams and Vexa
// keys. They may sign in again if Okta lets them.
func (e *Endpoints) UniversalLogout(ex *exchange.Exchange, r *http.Request) error {
	provider := e.providers.ByName(r.PathValue("provider"))
	switch {
	case provider == nil || !provider.SupportsUniversalLogout():
		return exchange.Refuse("not_found", "")
	case r.Method != http.MethodPost:
		return exchange.Refuse("method_not_allowed", "")
	}
	bearer, ok := bearerToken(r)
	if !ok {
		return exchange.Refuse("token_invalid", "Universal Logout takes exactly one bearer token.")
	}
	endpoint := ex.Site.Origin + "/sso/logout/universal/" + provider.Name()
	jti, until, err := provider.VerifyUniversalLogout(r.Context(), bearer, endpoint)
	if err != nil {
		return asTokenProblem(err)
	}
	who, err := readSubject(ex, r)
	if err != nil {
		return err
	}
	var found []mapping.Account
	err = e.consumeOnce(r.Context(), provider, "universal:"+jti, until, func() (err error) {
		if found, err = e.accountsOf(r.Context(), provider, who); err != nil {
			return err
		}
		return e.endEverything(ex, r, provider, found)
	})
	switch {
	case err != nil:
		return exchange.AsProblem(err)
	case len(found) == 0:
		return exchange.Refuse("not_found", "No account has that subject or address.")
	}
	ex.Header().Set("Cache-Control", "no-store")
	ex.WriteHeader(http.StatusNoContent)
	return nil
}

// bearerToken returns the one bearer token of a request (RFC 6750 section 2.1).
func bearerToken(r *http.Request) (string, bool) {
	shown := r.Header["Authorization"]
	if len(shown) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(shown[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// asTokenProblem returns the problem for a token that was not verified: 401, unless the provider's keys could
// not be read.
func asTokenProblem(err error) *exchange.Problem {
	pr := exchange.AsProblem(err)
	if pr.Code == oidc.CodeProviderUnavailable || pr.Code == "internal_error" {
		return pr
	}
	return &exchange.Problem{
		Code: "token_invalid", Detail: "That token is not one that this provider calls us with.", Err: err,
	}
}

// subjectID is a subject identifier (RFC 9493).
type subjectID struct{ format, email, iss, sub string }

// readSubject reads the body of Universal Logout. Member names are matched exactly, and none may be repeated:
// parsers differ in which of two counts (C9).
func readSubject(w http.ResponseWriter, r *http.Request) (subjectID, error) {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxChannelBody))
	outer, err := members(body)
	if err == nil && body.More() {
		err = errors.New("something follows the object")
	}
	var inner map[string]json.RawMessage
	if err == nil {
		inner, err = members(json.NewDecoder(strings.NewReader(string(outer["sub_id"]))))
	}
	if err != nil {
		return subjectID{}, exchange.RefuseBecause("bad_request",
			"The body must be one JSON object with a sub_id.", err)
	}
	var id subjectID
	for name, into := range map[string]*string{
		"format": &id.format, "email": &id.email, "iss": &id.iss, "sub": &id.sub,
	} {
		if raw, ok := inner[name]; ok && json.Unmarshal(raw, into) != nil {
			return subjectID{}, exchange.Refuse("bad_request", "A member of sub_id is not a string.")
		}
	}
	switch {
	case id.format == "email" && id.email != "", id.format == "iss_sub" && id.iss != "" && id.sub != "":
		return id, nil
	}
	return subjectID{}, exchange.Refuse("bad_request",
		"sub_id must have format email with email, or format iss_sub with iss and sub.")
}

// members reads one JSON object, with its member names as written and each once.
func members(from *json.Decoder) (map[string]json.RawMessage, error) {
	if t, err := from.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("it is not a JSON object"), err)
	}
	found := map[string]json.RawMessage{}
	for from.More() {
		name, err := from.Token()
		if err != nil {
			return nil, fmt.Errorf("read a name: %w", err)
		}
		var value json.RawMessage
		if err := from.Decode(&value); err != nil {
			return nil, fmt.Errorf("read a value: %w", err)
		}
		if _, twice := found[name.(string)]; twice {
			return nil, errors.New("a member comes twice")
		}
		found[name.(string)] = value
	}
	_, err := from.Token()
	return found, err
}

// accountsOf returns the accounts of the provider that a subject identifier names.
func (e *Endpoints) accountsOf(
	ctx context.Context, provider *oidc.Provider, who subjectID,
) ([]mapping.Account, error) {
	if who.format == "email" {
		return e.accounts.AccountsByEmail(ctx, provider.Name(), who.email)
	}
	subject, ok := provider.SubjectOf(who.iss, who.sub)
	if !ok {
		return nil, nil
	}
	account, err := e.accounts.AccountBySubject(ctx, subject)
	if errors.Is(err, mapping.ErrNotFound) || err == nil && account.Provider != provider.Name() {
		return nil, nil
	}
	return []mapping.Account{account}, err
}

// endEverything ends all that the accounts have, here at once.
func (e *Endpoints) endEverything(
	ex *exchange.Exchange, r *http.Request, provider *oidc.Provider, accounts []mapping.Account,
) error {
	const reason = "the provider ended everything of theirs (Universal Logout)"
	for _, account := range accounts {
		if err := e.ender.SignOutEverywhere(r.Context(), account.ID, reason,
			"provider "+provider.Name()); err != nil {
			return err
		}
		e.edge.Record(ex, r, mapping.Event{
			Event: mapping.EventProviderLogout, Actor: "provider " + provider.Name(), Account: account.ID,
			Provider: provider.Name(), Reason: reason,
		})
	}
	return nil
}
