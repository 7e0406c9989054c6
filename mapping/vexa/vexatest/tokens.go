package vexatest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

type minted012 struct {
	ID     int64    `json:"id"`
	Token  string   `json:"token"`
	UserID int64    `json:"user_id"`
	Scopes []string `json:"scopes"`
}

type listed012 struct {
	ID         int64    `json:"id"`
	UserID     int64    `json:"user_id"`
	Scopes     []string `json:"scopes"`
	Name       *string  `json:"name"`
	CreatedAt  naive    `json:"created_at"`
	LastUsedAt *naive   `json:"last_used_at"`
	ExpiresAt  *naive   `json:"expires_at"`
}

type token010 struct {
	UserID     int64    `json:"user_id"`
	ID         int64    `json:"id"`
	Token      string   `json:"token"`
	Scopes     []string `json:"scopes"`
	Name       *string  `json:"name"`
	CreatedAt  naive    `json:"created_at"`
	LastUsedAt *naive   `json:"last_used_at"`
	ExpiresAt  *naive   `json:"expires_at"`
}

func (t *tokenRow) view010() token010 {
	return token010{
		t.userID, t.id, t.secret, t.scopes, t.name, naive(t.createdAt), nil, (*naive)(t.expiresAt),
	}
}

// mint is what a request for a token asks for.
type mint struct {
	scopes    []string
	scopesSet bool
	name      *string
	expiresIn *int64
}

// mintToken mints. 0.12 takes the wishes of the body before those of the query; 0.10
// has never heard of a body.
func (s *Server) mintToken(c *call, p payload) answer {
	id, refused := pathID(c, "user_id")
	if refused != nil {
		return *refused
	}
	wish, problems := mintQuery(c)
	if !s.legacy() {
		problems = append(problems, wish.readBody(p)...)
	}
	if len(problems) > 0 {
		return unprocessable(problems...)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.db.user(id) == nil {
		return detail(http.StatusNotFound, "User not found")
	}
	if refused := wish.checkScopes(s.legacy()); refused != nil {
		return *refused
	}
	return s.insertMinted(id, wish)
}

func mintQuery(c *call) (mint, []problem) {
	var wish mint
	if scope, ok := c.param("scope"); ok && scope != "" {
		wish.scopes, wish.scopesSet = []string{scope}, true
	}
	if scopes, ok := c.param("scopes"); ok {
		wish.scopes, wish.scopesSet = strings.Split(scopes, ","), true
	}
	if name, ok := c.param("name"); ok {
		wish.name = &name
	}
	if text, ok := c.param("expires_in"); ok {
		n, bad := queryInteger(text, "query", "expires_in")
		if bad != nil {
			return wish, []problem{*bad}
		}
		wish.expiresIn = &n
	}
	return wish, nil
}

// readBody lets the fields of 0.12's optional body replace what the query said.
func (m *mint) readBody(p payload) []problem {
	if p.absent || isNull(p.json) {
		return nil
	}
	all, bad := p.object()
	if bad != nil {
		return []problem{*bad}
	}
	var problems, extra []problem
	for _, field := range all {
		switch field.name {
		case "scopes":
			problems = append(problems, m.readScopes(field.value)...)
		case "name":
			name, bad := optionalString(field.value, "body", "name")
			if bad != nil {
				problems = append(problems, *bad)
			} else if name != nil {
				m.name = name
			}
		case "expires_in":
			problems = append(problems, m.readExpiry(field.value)...)
		default:
			extra = append(extra, extraForbidden(field.value, "body", field.name))
		}
	}
	return append(problems, extra...)
}

func (m *mint) readScopes(raw json.RawMessage) []problem {
	if isNull(raw) {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return []problem{{
			Type: "list_type", Loc: loc("body", "scopes"), Msg: "Input should be a valid list", Input: raw,
		}}
	}
	m.scopes, m.scopesSet = nil, true
	var problems []problem
	for i, item := range items {
		scope, bad := stringValue(item, "body", "scopes", i)
		if bad != nil {
			problems = append(problems, *bad)
		}
		m.scopes = append(m.scopes, scope)
	}
	return problems
}

func (m *mint) readExpiry(raw json.RawMessage) []problem {
	if isNull(raw) {
		return nil
	}
	n, bad := integer(raw, "body", "expires_in")
	if bad == nil && n <= 0 {
		bad = &problem{
			Type: "greater_than", Loc: loc("body", "expires_in"),
			Msg: "Input should be greater than 0", Input: raw,
			Ctx: struct {
				GT int `json:"gt"`
			}{0},
		}
	}
	if bad != nil {
		return []problem{*bad}
	}
	m.expiresIn = &n
	return nil
}

var validScopes = []string{"bot", "browser", "tx"}

// checkScopes trims the scopes, drops blanks, and refuses strangers. Nothing asked for is "bot".
func (m *mint) checkScopes(legacy bool) *answer {
	if !m.scopesSet {
		m.scopes = []string{"bot"}
		return nil
	}
	var kept, strangers []string
	for _, scope := range m.scopes {
		scope = strings.TrimSpace(scope)
		switch {
		case scope == "":
		case slices.Contains(validScopes, scope):
			kept = append(kept, scope)
		default:
			strangers = append(strangers, scope)
		}
	}
	var a answer
	switch {
	case len(strangers) > 0:
		a = detail(http.StatusUnprocessableEntity,
			"Invalid scope(s): "+pythonList(strangers)+". Valid: "+pythonList(validScopes))
	case len(kept) == 0 && legacy:
		a = crash() // it takes the first of an empty list
	case len(kept) == 0:
		a = detail(http.StatusUnprocessableEntity, "scopes must not be empty")
	default:
		m.scopes = kept
		return nil
	}
	return &a
}

// insertMinted writes the token, under the database's lock.
func (s *Server) insertMinted(userID int64, wish mint) answer {
	now := s.now()
	t := &tokenRow{userID: userID, name: wish.name, scopes: wish.scopes}
	if wish.expiresIn != nil && *wish.expiresIn > 0 {
		if *wish.expiresIn > secondsUntilYear10000(now) {
			return crash() // Python's datetime ends there
		}
		until := time.Unix(now.Unix()+*wish.expiresIn, int64(now.Nanosecond())).UTC()
		t.expiresAt = &until
	}
	name := deref(wish.name)
	if strings.ContainsRune(name, 0) {
		return crash()
	}
	if utf8.RuneCountInString(name) > 255 {
		s.db.tokenSeq++
		return crash()
	}
	s.insertToken(t, now)
	s.calls.add(func(c *Calls) { c.TokensMinted++ })
	if s.legacy() {
		return jsonAnswer(http.StatusCreated, t.view010())
	}
	return jsonAnswer(http.StatusCreated, minted012{t.id, t.secret, t.userID, t.scopes})
}

func secondsUntilYear10000(now time.Time) int64 {
	return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - now.Unix() - 1
}

// listTokens is 0.12's list: everything but the secrets.
func (s *Server) listTokens(c *call, _ payload) answer {
	id, refused := pathID(c, "user_id")
	if refused != nil {
		return *refused
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.db.user(id) == nil {
		return detail(http.StatusNotFound, "User not found")
	}
	all := []listed012{}
	for _, t := range s.db.tokensOf(id) {
		all = append(all,
			listed012{t.id, t.userID, t.scopes, t.name, naive(t.createdAt), nil, (*naive)(t.expiresAt)})
	}
	return jsonAnswer(http.StatusOK, all)
}

func (s *Server) deleteToken(c *call, _ payload) answer {
	id, refused := pathID(c, "token_id")
	if refused != nil {
		return *refused
	}
	if !s.RevokeToken(id) {
		return detail(http.StatusNotFound, "Token not found")
	}
	s.calls.add(func(c *Calls) { c.TokensDeleted++ })
	a := answer{status: http.StatusNoContent}
	if s.legacy() {
		a.contentType = jsonType
	}
	return a
}
