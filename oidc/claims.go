package oidc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// claims are an ID token's, decoded, under their exact names.
type claims map[string]any

// UnmarshalJSON decodes claims with their numbers as they are written.
func (c *claims) UnmarshalJSON(text []byte) error {
	return unmarshalExactly(text, (*map[string]any)(c))
}

// unmarshalExactly is json.Unmarshal that keeps numbers as they are written (json.Number): a float64 makes
// one of two above 2^53, and of two people who are told apart by such numbers.
func unmarshalExactly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// text is a claim that is a string; "" when it is absent or something else.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// has says whether a claim is there and not null.
func (c claims) has(name string) bool { return c[name] != nil }

// instant is a claim that is a NumericDate (RFC 7519, section 2); zero when it is absent or out of range.
func (c claims) instant(name string) time.Time {
	number, _ := c[name].(json.Number)
	seconds, err := number.Float64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// one says whether a claim is the number 1, or the text.
func (c claims) one(name string) bool {
	if number, ok := c[name].(json.Number); ok {
		value, err := number.Float64()
		return err == nil && value == 1
	}
	return c[name] == "1"
}

// find is a claim by the name in the configuration: as such, or as a path into objects
// ("realm_access.roles").
func (c claims) find(name string) any {
	if v, ok := c[name]; ok {
		return v
	}
	var at any = map[string]any(c)
	for _, step := range strings.Split(name, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[step]
	}
	return at
}

// list reads a claim that is a list of strings, or a single one. Blank entries are dropped: nothing may ever
// match them. ok is false when the claim is something else, wholly or in part.
func list(claim any) (values []string, ok bool) {
	switch v := claim.(type) {
	case nil:
		return nil, true
	case string:
		return withoutBlank([]string{v}), true
	case []any:
		ok = true
		for _, item := range v {
			s, isText := item.(string)
			ok = ok && isText
			values = append(values, s)
		}
		return withoutBlank(values), ok
	}
	return nil, false
}

func withoutBlank(values []string) []string {
	return slices.DeleteFunc(values, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// protocolClaims are those that only we have a use for. _claim_sources may carry an access token.
var protocolClaims = []string{
	"nonce", "at_hash", "c_hash", "s_hash", "aio", "rh", "uti", "_claim_names", "_claim_sources",
}

// forRules are the claims that leave this package.
func (c claims) forRules() map[string]any {
	kept := make(map[string]any, len(c))
	for name, v := range c {
		if !slices.Contains(protocolClaims, name) {
			kept[name] = v
		}
	}
	return kept
}

// groups reads the groups, and says in words why the list is not complete when it is not. A provider that had
// too many to list says so by a pointer elsewhere (OpenID Connect Core 1.0, section 5.6.2) or by hasgroups;
// the pointer is never followed: Entra's names a host that is gone, and anybody's would have us call a place
// that no configuration names.
func (c claims) groups(claim string) (groups []string, problem string) {
	if c.overage(claim) {
		return nil, "The provider did not list the groups because there are too many of them."
	}
	groups, ok := list(c.find(claim))
	if !ok {
		return nil, fmt.Sprintf("The claim %s is not a list of texts.", quoted(claim))
	}
	return groups, ""
}

// overage says whether the token lists no groups because there are too many: by a reference to where they are
// (_claim_names), or by hasgroups.
func (c claims) overage(claim string) bool {
	if c["hasgroups"] == true || c["hasgroups"] == "true" {
		return true
	}
	elsewhere, _ := c["_claim_names"].(map[string]any)
	_, named := elsewhere[claim]
	_, plain := elsewhere["groups"]
	return named || plain
}

// asksGroups says whether the settings ask for groups. Where they do, an ID token without groups means that
// the person is in none; where they do not, nothing is known, and a rule that denies a group must not be
// passed by for that (S18). Entra's registration lists groups without being asked, or does not: only the
// setting groups_claim tells.
func (p *Provider) asksGroups() bool {
	return p.cfg.GroupsClaim != "" || slices.Contains(p.cfg.Scopes, "groups")
}

// tokenSubject is whom a token is about, and what it means when the token lists no groups.
type tokenSubject struct {
	kind    Kind
	subject string // canonical
	// groupsUnknown says why nothing is known of the groups when the token lists none; "" when the person is
	// then in none.
	groupsUnknown string
}

// signedIn is the subject of an ID token.
func (p *Provider) signedIn(c claims) (tokenSubject, *Error) {
	subject, err := p.dialect.subject(c)
	if err != nil {
		return tokenSubject{}, err
	}
	who := tokenSubject{kind: User, subject: subject}
	if !p.asksGroups() {
		who.groupsUnknown = "The provider told no groups, and is not known to tell them: add the scope " +
			"that gives them, or name their claim in groups_claim."
	}
	return who, nil
}

// identity makes the identity out of verified claims. It trusts nothing about their shape. A program has no
// address, whatever its claims say.
func (p *Provider) identity(c claims, who tokenSubject) Identity {
	var email emailClaim
	if who.kind == User {
		word, pinned := p.dialect.emailWord(c)
		email = decideEmail(c.text("email"), word, pinned, p.trusted)
	}
	groups, problem := c.groups(p.groupsClaim)
	switch {
	case problem != "":
	case c.find(p.groupsClaim) == nil:
		problem = who.groupsUnknown
	case len(groups) > 0 && (len(groups) == p.groupsCut || len(groups) == p.dialect.groupsCut()):
		problem = fmt.Sprintf("The provider listed %d groups, and it may have cut the list off there.",
			len(groups))
	}
	roles, _ := list(c.find(p.rolesClaim))
	return Identity{
		Provider:       p.cfg.Name,
		Subject:        who.subject,
		Kind:           who.kind,
		Email:          email.proven,
		EmailTrusted:   email.trusted,
		UnprovenEmail:  email.unproven,
		Name:           forPeople(c.text("name")),
		Groups:         groups,
		GroupsComplete: problem == "",
		GroupsProblem:  problem,
		Roles:          roles,
		SID:            capped(c.text("sid"), 255),
		Claims:         c.forRules(),
	}
}

// forPeople makes strangers' text fit to be shown and sent on: one line without control or invisible
// characters, at most 200 bytes.
func forPeople(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}, text)
	return capped(strings.TrimSpace(text), 200)
}

// checkedClaims are those that go-oidc checks in ID tokens and in logout tokens.
var checkedClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "at_hash", "jti", "sid", "events",
}

// decodeClaims decodes a verified payload twice: all claims by their exact names into values, and the few
// that go-oidc checks, unchanged, into a payload of their own. go-oidc must not see more: it gives up on the
// distributed claims of an Entra overage, and it would fold the case of names.
func decodeClaims(payload []byte) (c claims, checked []byte, err error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(payload, &raw); err != nil {
		return nil, nil, fmt.Errorf("reading the claims: %w", reduced(err))
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, nil, fmt.Errorf("reading the claims: %w", reduced(err))
	}
	few := map[string]json.RawMessage{}
	for _, name := range checkedClaims {
		if v, ok := raw[name]; ok {
			few[name] = v
		}
	}
	checked, err = json.Marshal(few)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the claims: %w", reduced(err))
	}
	return c, checked, nil
}
