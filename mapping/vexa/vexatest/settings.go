package vexatest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// settings are a user's own, of which only the webhook has a place in the user's data.
type settings struct {
	models        map[string]json.RawMessage
	transcription map[string]json.RawMessage
	calendarURL   string
}

type calendar struct {
	id     int64
	userID int64
	url    string
}

// addUserTier registers what the Admin API serves to people by their own key. It does not look
// whether that has expired.
func (s *Server) addUserTier(r *router) {
	if s.legacy() {
		r.add("PUT /user/webhook", s.asUser(s.putWebhook010))
		r.add("PUT /user/workspace-git", s.asUser(required("repo")))
		return
	}
	r.add("GET /user/webhook", s.asUser(s.getWebhook))
	r.add("PUT /user/webhook", s.asUser(s.putWebhook))
	r.add("GET /user/webhook/deliveries", s.asUser(func(*call, payload, *userRow) answer {
		return jsonAnswer(http.StatusOK, map[string][]string{"deliveries": {}})
	}))
	r.add("GET /user/models", s.asUser(s.getModels))
	r.add("PUT /user/models", s.asUser(s.putModels))
	r.add("GET /user/transcription", s.asUser(s.getTranscription))
	r.add("PUT /user/transcription", s.asUser(s.putTranscription))
	r.add("GET /user/calendar", s.asUser(s.getCalendar))
	r.add("PUT /user/calendar", s.asUser(s.putCalendar))
	r.add("GET /user/calendars", s.asUser(s.listCalendars))
	r.add("POST /user/calendars", s.asUser(s.addCalendar))
	r.add("PATCH /user/calendars/{calendar_id}", s.asUser(s.changeCalendar))
	r.add("DELETE /user/calendars/{calendar_id}", s.asUser(s.deleteCalendar))
}

// asUser finds the user by their key and holds the database's lock for the handler.
func (s *Server) asUser(handle func(*call, payload, *userRow) answer) func(*call) answer {
	return func(c *call) answer {
		p, refused := readPayload(c)
		if refused != nil {
			return *refused
		}
		key := c.header("x-api-key")
		if key == "" {
			return detail(http.StatusUnauthorized, "Missing API Key")
		}
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		t := s.db.tokenBySecret(key)
		if t == nil || s.db.user(t.userID) == nil {
			return detail(http.StatusForbidden, "Invalid API Key")
		}
		return handle(c, p, s.db.user(t.userID))
	}
}

// required accepts any object that has the field.
func required(field string) func(*call, payload, *userRow) answer {
	return func(_ *call, p payload, _ *userRow) answer {
		if _, refused := objectWith(p, field); refused != nil {
			return *refused
		}
		return jsonAnswer(http.StatusOK, map[string]string{"status": "ok"})
	}
}

// objectWith returns the members of a body that must have one of the fields.
func objectWith(p payload, fields ...string) ([]member, *answer) {
	all, bad := p.object()
	if bad != nil {
		a := unprocessable(*bad)
		return nil, &a
	}
	if !slices.ContainsFunc(all, func(m member) bool { return slices.Contains(fields, m.name) }) {
		a := unprocessable(missing(p.json, "body", fields[0]))
		return nil, &a
	}
	return all, nil
}

func text(all []member, name string) string {
	var s string
	raw, _ := get(all, name)
	_ = json.Unmarshal(raw, &s)
	return s
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// masked shows the last four characters of a secret.
func masked(secret string) *string {
	if secret == "" {
		return nil
	}
	m := "********" + secret[max(len(secret)-4, 0):]
	return &m
}

func (s *Server) getWebhook(_ *call, _ payload, u *userRow) answer {
	events := json.RawMessage("null")
	if e := u.data["webhook_events"]; e != nil {
		events = e
	}
	hook := json.RawMessage("null")
	if h := u.data["webhook_url"]; h != nil {
		hook = h
	}
	return jsonAnswer(http.StatusOK, struct {
		URL       json.RawMessage `json:"webhook_url"`
		SecretSet bool            `json:"webhook_secret_set"`
		Secret    *string         `json:"webhook_secret"`
		Events    json.RawMessage `json:"webhook_events"`
	}{hook, u.secret != "", masked(u.secret), events})
}

// putWebhook010 takes an address that pydantic takes for one, and nothing else: so it clears none.
func (s *Server) putWebhook010(c *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "webhook_url")
	if refused != nil {
		return *refused
	}
	raw, _ := get(all, "webhook_url")
	hook, bad := httpURL(raw, "body", "webhook_url")
	if bad != nil {
		return unprocessable(*bad)
	}
	if !s.config.Resolve(hook.Hostname()) {
		return detail(http.StatusBadRequest, "Webhook URL hostname could not be resolved")
	}
	set := map[string]json.RawMessage{"webhook_url": compact(hook.String())}
	if _, ok := get(all, "webhook_secret"); ok {
		u.secret = strings.TrimSpace(text(all, "webhook_secret"))
	}
	if events, ok := get(all, "webhook_events"); ok {
		set["webhook_events"] = events
	}
	u.data = u.withData(set)
	s.db.touched(u)
	return jsonAnswer(http.StatusOK, s.view(u))
}

// httpURL reads pydantic's HttpUrl, as far as addresses of webhooks go.
func httpURL(raw json.RawMessage, where ...any) (*url.URL, *problem) {
	if !strings.HasPrefix(string(raw), `"`) {
		return nil, &problem{
			Type: "url_type", Loc: where, Msg: "URL input should be a string or URL", Input: raw,
		}
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	hook, err := url.Parse(strings.TrimSpace(s))
	unparsable := ""
	switch {
	case strings.TrimSpace(s) == "":
		unparsable = "input is empty"
	case err != nil || hook.Scheme == "":
		unparsable = "relative URL without a base"
	case hook.Scheme != "http" && hook.Scheme != "https":
		return nil, &problem{
			Type: "url_scheme", Loc: where, Msg: "URL scheme should be 'http' or 'https'", Input: raw,
			Ctx: struct {
				Schemes string `json:"expected_schemes"`
			}{"'http' or 'https'"},
		}
	case hook.Host == "":
		unparsable = "empty host"
	}
	if unparsable != "" {
		return nil, &problem{
			Type: "url_parsing", Loc: where, Msg: "Input should be a valid URL, " + unparsable, Input: raw,
			Ctx: struct {
				Error string `json:"error"`
			}{unparsable},
		}
	}
	hook.Host = strings.ToLower(hook.Host)
	if hook.Path == "" {
		hook.Path = "/"
	}
	return hook, nil
}

func (s *Server) putWebhook(_ *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "webhook_url")
	if refused != nil {
		return *refused
	}
	set := map[string]json.RawMessage{}
	for _, name := range []string{"webhook_url", "webhook_events"} {
		if raw, ok := get(all, name); ok && !isNull(raw) {
			set[name] = raw
		}
	}
	u.data = u.withData(set)
	if secret := text(all, "webhook_secret"); secret != "" {
		u.secret = secret
	}
	s.db.touched(u)
	return jsonAnswer(http.StatusOK, s.view(u))
}

func (s *Server) getModels(_ *call, _ payload, u *userRow) answer {
	field := func(name string) json.RawMessage {
		if raw := u.settings.models[name]; raw != nil {
			return raw
		}
		return json.RawMessage("null")
	}
	var key string
	_ = json.Unmarshal(u.settings.models["api_key"], &key)
	return jsonAnswer(http.StatusOK, struct {
		Mode         json.RawMessage `json:"mode"`
		Model        json.RawMessage `json:"model"`
		MeetingModel json.RawMessage `json:"meeting_model"`
		BaseURL      json.RawMessage `json:"base_url"`
		KeySet       bool            `json:"api_key_set"`
		Key          *string         `json:"api_key"`
	}{field("mode"), field("model"), field("meeting_model"), field("base_url"), key != "", masked(key)})
}

func (s *Server) putModels(c *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "mode", "model", "meeting_model", "base_url", "api_key")
	if refused != nil {
		return *refused
	}
	u.settings.models = make(map[string]json.RawMessage)
	for _, m := range all {
		u.settings.models[m.name] = m.value
	}
	return s.getModels(c, p, u)
}

func (s *Server) getTranscription(_ *call, _ payload, u *userRow) answer {
	var endpoint, token string
	_ = json.Unmarshal(u.settings.transcription["url"], &endpoint)
	_ = json.Unmarshal(u.settings.transcription["token"], &token)
	return jsonAnswer(http.StatusOK, struct {
		URL      *string `json:"url"`
		TokenSet bool    `json:"token_set"`
		Token    *string `json:"token"`
	}{optional(endpoint), token != "", masked(token)})
}

func (s *Server) putTranscription(c *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "url", "token")
	if refused != nil {
		return *refused
	}
	u.settings.transcription = make(map[string]json.RawMessage)
	for _, m := range all {
		u.settings.transcription[m.name] = m.value
	}
	return s.getTranscription(c, p, u)
}

func (s *Server) getCalendar(_ *call, _ payload, u *userRow) answer {
	return jsonAnswer(http.StatusOK, struct {
		Set      bool    `json:"ics_url_set"`
		Masked   *string `json:"ics_url_masked"`
		AutoJoin bool    `json:"auto_join"`
		BotName  string  `json:"bot_name"`
	}{u.settings.calendarURL != "", masked(u.settings.calendarURL), true, "Vexa"})
}

func (s *Server) putCalendar(c *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "ics_url")
	if refused != nil {
		return *refused
	}
	u.settings.calendarURL = text(all, "ics_url")
	return s.getCalendar(c, p, u)
}

type calendarView struct {
	ID  string  `json:"id"`
	URL *string `json:"ics_url_masked"`
}

func (c *calendar) view() calendarView {
	return calendarView{strconv.FormatInt(c.id, 10), masked(c.url)}
}

func (s *Server) listCalendars(_ *call, _ payload, u *userRow) answer {
	all := []calendarView{}
	for _, c := range s.db.calendars {
		if c.userID == u.id {
			all = append(all, c.view())
		}
	}
	return jsonAnswer(http.StatusOK, map[string][]calendarView{"calendars": all})
}

func (s *Server) addCalendar(_ *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "ics_url")
	if refused != nil {
		return *refused
	}
	c := &calendar{id: int64(len(s.db.calendars) + 1), userID: u.id, url: text(all, "ics_url")}
	s.db.calendars = append(s.db.calendars, c)
	return jsonAnswer(http.StatusCreated, c.view())
}

func (s *Server) findCalendar(c *call, u *userRow) int {
	return slices.IndexFunc(s.db.calendars, func(one *calendar) bool {
		return one.userID == u.id && strconv.FormatInt(one.id, 10) == c.params["calendar_id"]
	})
}

var noCalendar = detail(http.StatusNotFound, "calendar not found")

func (s *Server) changeCalendar(c *call, p payload, u *userRow) answer {
	all, refused := objectWith(p, "ics_url")
	if refused != nil {
		return *refused
	}
	i := s.findCalendar(c, u)
	if i < 0 {
		return noCalendar
	}
	s.db.calendars[i].url = text(all, "ics_url")
	return jsonAnswer(http.StatusOK, s.db.calendars[i].view())
}

func (s *Server) deleteCalendar(c *call, _ payload, u *userRow) answer {
	i := s.findCalendar(c, u)
	if i < 0 {
		return noCalendar
	}
	s.db.calendars = slices.Delete(s.db.calendars, i, i+1)
	return answer{status: http.StatusNoContent}
}
