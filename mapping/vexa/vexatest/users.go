package vexatest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

type user012 struct {
	ID    int64   `json:"id"`
	Email string  `json:"email"`
	Name  *string `json:"name"`
	Bots  int64   `json:"max_concurrent_bots"`
	Data  jsonb   `json:"data"`
}

type user010 struct {
	Email     string  `json:"email"`
	Name      *string `json:"name"`
	ImageURL  *string `json:"image_url"`
	Bots      int64   `json:"max_concurrent_bots"`
	Data      jsonb   `json:"data"`
	ID        int64   `json:"id"`
	CreatedAt naive   `json:"created_at"`
}

type userDetail010 struct {
	user010
	Tokens []token010 `json:"api_tokens"`
}

// view is the user as this generation shows it.
func (s *Server) view(u *userRow) any {
	if s.legacy() {
		return user010{u.email, u.name, u.imageURL, u.bots, u.data, u.id, naive(u.createdAt)}
	}
	return user012{u.id, u.email, u.name, u.bots, u.data}
}

// newUser is the body of POST /admin/users.
type newUser struct {
	email    string
	name     *string
	imageURL *string
	bots     int64
}

// createUser finds or creates. An existing user is returned as it is, whatever the body says.
func (s *Server) createUser(c *call, p payload) answer {
	body, problems := s.readNewUser(p)
	if len(problems) > 0 {
		return unprocessable(problems...)
	}
	if found, ok := s.findUser(body.email); ok {
		return jsonAnswer(http.StatusOK, found)
	}
	// Between looking and inserting the real service waits for its database, so that of simultaneous
	// creations of one email some look in vain and then run into the unique index: a 500.
	s.faults.pauseAtInsert(c, s.closing)
	return s.insertNewUser(body)
}

func (s *Server) findUser(email string) (any, bool) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.userByEmail(email); u != nil {
		return s.view(u), true
	}
	return nil, false
}

func (s *Server) insertNewUser(body newUser) answer {
	if strings.ContainsRune(body.email+deref(body.name)+deref(body.imageURL), 0) || tooLarge(body.bots) {
		return crash() // the driver refuses before the sequence moves
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if utf8.RuneCountInString(deref(body.name)) > 100 || utf8.RuneCountInString(body.email) > 255 ||
		s.db.userByEmail(body.email) != nil {
		s.db.userSeq++
		return crash()
	}
	u := &userRow{email: body.email, name: body.name, imageURL: body.imageURL, bots: body.bots}
	s.db.insertUser(u, s.now())
	s.calls.add(func(c *Calls) { c.UsersCreated++ })
	return jsonAnswer(http.StatusCreated, s.view(u))
}

func (s *Server) readNewUser(p payload) (newUser, []problem) {
	all, bad := p.object()
	if bad != nil {
		return newUser{}, []problem{*bad}
	}
	n := newUser{bots: s.db.defaultBots()}
	var problems []problem
	note := func(bad *problem) {
		if bad != nil {
			problems = append(problems, *bad)
		}
	}
	if raw, ok := get(all, "email"); !ok {
		problems = append(problems, missing(p.json, "body", "email"))
	} else {
		n.email, bad = s.readEmail(raw)
		note(bad)
	}
	if raw, ok := get(all, "name"); ok {
		n.name, bad = optionalString(raw, "body", "name")
		note(bad)
	}
	if raw, ok := get(all, "image_url"); ok && s.legacy() {
		n.imageURL, bad = optionalString(raw, "body", "image_url")
		note(bad)
	}
	if raw, ok := get(all, "max_concurrent_bots"); ok && !(s.legacy() && isNull(raw)) {
		n.bots, bad = integer(raw, "body", "max_concurrent_bots")
		note(bad)
	}
	return n, problems
}

func (s *Server) readEmail(raw json.RawMessage) (string, *problem) {
	email, bad := stringValue(raw, "body", "email")
	if bad != nil || !s.legacy() {
		return email, bad
	}
	normal, reason := normalizeEmail(email)
	if reason != "" {
		return "", &problem{
			Type: "value_error", Loc: loc("body", "email"),
			Msg: "value is not a valid email address: " + reason, Input: raw,
			Ctx: struct {
				Reason string `json:"reason"`
			}{reason},
		}
	}
	return normal, nil
}

func optionalString(raw json.RawMessage, where ...any) (*string, *problem) {
	if isNull(raw) {
		return nil, nil
	}
	text, bad := stringValue(raw, where...)
	return &text, bad
}

// userByEmail looks up by the exact spelling.
func (s *Server) userByEmail(c *call, _ payload) answer {
	email := c.params["email"]
	if strings.ContainsRune(email, 0) {
		return crash()
	}
	found, ok := s.findUser(email)
	if !ok {
		return detail(http.StatusNotFound, "User not found")
	}
	return jsonAnswer(http.StatusOK, found)
}

// userByID shows a user; 0.10 with all tokens, secrets included.
func (s *Server) userByID(c *call, _ payload) answer {
	id, refused := pathID(c, "user_id")
	if refused != nil {
		return *refused
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	u := s.db.user(id)
	switch {
	case u == nil:
		return detail(http.StatusNotFound, "User not found")
	case !s.legacy():
		return jsonAnswer(http.StatusOK, s.view(u))
	}
	tokens := []token010{}
	for _, t := range s.db.tokensOf(id) {
		tokens = append(tokens, t.view010())
	}
	return jsonAnswer(http.StatusOK, userDetail010{s.view(u).(user010), tokens})
}

// pathID reads an id of the path. One that is too large for PostgreSQL makes the real service fall over.
func pathID(c *call, name string) (int64, *answer) {
	id, bad := queryInteger(c.params[name], "path", name)
	var a answer
	switch {
	case bad != nil:
		a = unprocessable(*bad)
	case tooLarge(id):
		a = crash()
	default:
		return id, nil
	}
	return 0, &a
}

// listUsers is 0.10's GET /admin/users.
func (s *Server) listUsers(c *call, _ payload) answer {
	skip, limit := int64(0), int64(100)
	for name, value := range map[string]*int64{"skip": &skip, "limit": &limit} {
		text, ok := c.param(name)
		if !ok {
			continue
		}
		n, bad := queryInteger(text, "query", name)
		if bad != nil {
			return unprocessable(*bad)
		}
		*value = n
	}
	if skip < 0 || limit < 0 {
		return crash()
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	all := []any{}
	for i, u := range s.db.users {
		if int64(i) >= skip && int64(len(all)) < limit {
			all = append(all, s.view(u))
		}
	}
	return jsonAnswer(http.StatusOK, all)
}

// patchUser012 takes max_concurrent_bots and billing data, and nothing else.
func (s *Server) patchUser012(c *call, p payload) answer {
	id, refused := pathID(c, "user_id")
	if refused != nil {
		return *refused
	}
	all, bad := p.object()
	if bad != nil {
		return unprocessable(*bad)
	}
	bots, data, problems := readPatch012(all)
	switch {
	case len(problems) > 0:
		return unprocessable(problems...)
	case bots == nil && data == nil:
		return unprocessable(problem{
			Type: "value_error", Loc: loc("body"),
			Msg:   "Value error, at least one user field must be supplied",
			Input: p.json, Ctx: struct {
				Error struct{} `json:"error"`
			}{},
		})
	}
	return s.changeUser(id, func(u *userRow) *answer {
		if bots != nil {
			if tooLarge(*bots) {
				a := crash()
				return &a
			}
			u.bots = *bots
		}
		u.data = u.withData(data)
		return nil
	})
}

func readPatch012(all []member) (bots *int64, data map[string]json.RawMessage, problems []problem) {
	if raw, ok := get(all, "max_concurrent_bots"); ok && !isNull(raw) {
		n, bad := integer(raw, "body", "max_concurrent_bots")
		switch {
		case bad != nil:
			problems = append(problems, *bad)
		case n < 0:
			problems = append(problems, problem{
				Type: "greater_than_equal", Loc: loc("body", "max_concurrent_bots"),
				Msg: "Input should be greater than or equal to 0", Input: raw, Ctx: struct {
					GE int `json:"ge"`
				}{0},
			})
		default:
			bots = &n
		}
	}
	if raw, ok := get(all, "data"); ok && !isNull(raw) {
		fields, isObject := members(raw)
		if !isObject {
			problems = append(problems, problem{
				Type: "model_attributes_type", Loc: loc("body", "data"),
				Msg: "Input should be a valid dictionary or object to extract fields from", Input: raw,
			})
		}
		data = make(map[string]json.RawMessage)
		for _, f := range fields {
			if !isBillingKey(f.name) {
				problems = append(problems, extraForbidden(f.value, "body", "data", f.name))
			}
			data[f.name] = f.value
		}
	}
	for _, m := range all {
		if m.name != "max_concurrent_bots" && m.name != "data" {
			problems = append(problems, extraForbidden(m.value, "body", m.name))
		}
	}
	return bots, data, problems
}

// isBillingKey says whether 0.12 lets the key into a user's data. Only subscription_tier was seen on the
// wire; its kin are taken to be alike.
func isBillingKey(name string) bool {
	return strings.HasPrefix(name, "subscription_") || strings.HasPrefix(name, "stripe_")
}

// patchUser010 takes nearly anything, and ignores what it does not know.
func (s *Server) patchUser010(c *call, p payload) answer {
	id, refused := pathID(c, "user_id")
	if refused != nil {
		return *refused
	}
	all, bad := p.object()
	if bad != nil {
		return unprocessable(*bad)
	}
	var problems []problem
	for _, m := range all {
		bad = nil
		switch {
		case m.name == "max_concurrent_bots" && !isNull(m.value):
			_, bad = integer(m.value, "body", m.name)
		case m.name == "email" && !isNull(m.value):
			_, bad = s.readEmail(m.value)
		case m.name == "name" || m.name == "image_url":
			_, bad = optionalString(m.value, "body", m.name)
		case m.name == "data" && !isNull(m.value):
			if _, ok := members(m.value); !ok {
				bad = &problem{
					Type: "dict_type", Loc: loc("body", "data"),
					Msg: "Input should be a valid dictionary", Input: m.value,
				}
			}
		}
		if bad != nil {
			problems = append(problems, *bad)
		}
	}
	if len(problems) > 0 {
		return unprocessable(problems...)
	}
	return s.changeUser(id, func(u *userRow) *answer { return patch010(u, all) })
}

func patch010(u *userRow, all []member) *answer {
	failed := detail(http.StatusInternalServerError, "Failed to update user.")
	for _, m := range all {
		switch m.name {
		case "email":
			a := detail(http.StatusBadRequest, "Cannot change user email via this endpoint.")
			return &a
		case "max_concurrent_bots":
			n, _ := integer(m.value)
			if isNull(m.value) || tooLarge(n) {
				return &failed
			}
			u.bots = n
		case "name":
			name, _ := optionalString(m.value)
			if utf8.RuneCountInString(deref(name)) > 100 || strings.ContainsRune(deref(name), 0) {
				return &failed
			}
			u.name = name
		case "image_url":
			u.imageURL, _ = optionalString(m.value)
		case "data":
			set := make(map[string]json.RawMessage)
			fields, _ := members(m.value)
			for _, f := range fields {
				set[f.name] = f.value
			}
			u.data = u.withData(set)
		}
	}
	return nil
}

// changeUser applies a change to a copy, and keeps it unless the change was refused.
func (s *Server) changeUser(id int64, change func(*userRow) *answer) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	u := s.db.user(id)
	if u == nil {
		return detail(http.StatusNotFound, "User not found")
	}
	changed := *u
	if refused := change(&changed); refused != nil {
		return *refused
	}
	before, after := compact(s.view(u)), compact(s.view(&changed))
	*u = changed
	if !slices.Equal(before, after) {
		s.db.touched(u)
	}
	return jsonAnswer(http.StatusOK, s.view(u))
}
