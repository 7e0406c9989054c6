package vexatest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// meeting is a row of meeting-api: planned, or with a bot.
type meeting struct {
	id        int64
	userID    int64
	platform  string
	nativeID  string // empty for none
	status    string
	container string
	session   string
	title     string
	start     *time.Time
	createdAt time.Time
	updatedAt time.Time
	decision  string
	segments  []segment
}

type segment struct {
	Start   float64 `json:"start"`
	End     float64 `json:"end"`
	Speaker string  `json:"speaker"`
	Text    string  `json:"text"`
}

func (m *meeting) url() *string {
	var u string
	switch m.platform {
	case "google_meet":
		u = "https://meet.google.com/" + m.nativeID
	case "teams":
		u = "https://teams.live.com/meet/" + m.nativeID
	case "zoom":
		u = "https://zoom.us/j/" + m.nativeID
	default:
		return nil
	}
	return &u
}

// active says whether a bot of it counts against max_concurrent_bots.
func (m *meeting) active() bool {
	return slices.Contains([]string{"requested", "joining", "active"}, m.status)
}

// meetingView is a meeting in an answer.
type meetingView struct {
	ID        int64   `json:"id"`
	UserID    int64   `json:"user_id"`
	Platform  string  `json:"platform"`
	NativeID  *string `json:"native_meeting_id"`
	URL       *string `json:"constructed_meeting_url"`
	Status    string  `json:"status"`
	Container *string `json:"bot_container_id"`
	Start     *zoned  `json:"start_time"`
	End       *zoned  `json:"end_time"`
}

type botCreated struct {
	meetingView
	CompletionReason *string `json:"completion_reason"`
	FailureStage     *string `json:"failure_stage"`
	Data             any     `json:"data"`
	CreatedAt        zoned   `json:"created_at"`
	UpdatedAt        zoned   `json:"updated_at"`
}

type botListed struct {
	meetingView
	CompletionReason *string `json:"completion_reason"`
	FailureStage     *string `json:"failure_stage"`
	Shared           bool    `json:"shared"`
	CreatedAt        zoned   `json:"created_at"`
	UpdatedAt        zoned   `json:"updated_at"`
	Data             any     `json:"data"`
}

type meetingPlanned struct {
	meetingView
	Data      any   `json:"data"`
	Shared    bool  `json:"shared"`
	CreatedAt zoned `json:"created_at"`
	UpdatedAt zoned `json:"updated_at"`
}

type plannedData struct {
	Title    string `json:"title,omitempty"`
	AutoJoin bool   `json:"auto_join"`
}

// botData is what meeting-api keeps about a bot's session.
type botData struct {
	Recording  bool      `json:"recording_enabled"`
	Authority  authority `json:"service_authority"`
	Transcribe bool      `json:"transcribe_enabled"`
	Provider   string    `json:"transcription_provider"`
	URL        *string   `json:"constructed_meeting_url"`
	Sessions   []string  `json:"sessions,omitempty"` // only in the answer to its creation
}

type authority struct {
	Mode           string  `json:"mode"`
	Allow          bool    `json:"allow"`
	Reason         string  `json:"reason"`
	Enforced       bool    `json:"enforced"`
	DecidedAt      string  `json:"decided_at"`
	RequestID      string  `json:"request_id"`
	StopScope      *string `json:"stop_scope"`
	DecisionID     string  `json:"decision_id"`
	ServiceMode    string  `json:"service_mode"`
	LastBoundaryAt *string `json:"last_boundary_at"`
	LastDecisionID string  `json:"last_decision_id"`
	Identity       string  `json:"service_identity"`
	Version        string  `json:"authority_version"`
	TornDown       bool    `json:"teardown_confirmed"`
	Provider       string  `json:"transcription_provider"`
	Contract       string  `json:"lifecycle_contract_version"`
}

func (m *meeting) view() meetingView {
	v := meetingView{
		ID: m.id, UserID: m.userID, Platform: m.platform, URL: m.url(), Status: m.status,
		Start: (*zoned)(m.start),
	}
	if m.nativeID != "" {
		v.NativeID = &m.nativeID
	}
	if m.container != "" {
		v.Container = &m.container
	}
	return v
}

func (m *meeting) data() any {
	if m.session == "" {
		return plannedData{m.title, true}
	}
	identity := "meeting-session:" + m.session
	decision := "service-authority:unconfigured:" + m.decision
	return botData{
		Recording: true, Provider: "none", URL: m.url(), Authority: authority{
			Mode: "unconfigured", Allow: true, Reason: "unconfigured",
			DecidedAt: isoformat(m.createdAt) + "+00:00",
			RequestID: identity + ":admit", DecisionID: decision, ServiceMode: "bot",
			LastDecisionID: decision, Identity: identity,
			Version: "service-authority.v1", Provider: "none", Contract: "2026-07-28",
		},
	}
}

func (m *meeting) created() botCreated {
	data := m.data()
	if bot, ok := data.(botData); ok {
		bot.Sessions = []string{m.session}
		data = bot
	}
	return botCreated{
		meetingView: m.view(), Data: data, CreatedAt: zoned(m.createdAt), UpdatedAt: zoned(m.updatedAt),
	}
}

func (m *meeting) listed() botListed {
	return botListed{
		meetingView: m.view(), CreatedAt: zoned(m.createdAt), UpdatedAt: zoned(m.updatedAt), Data: m.data(),
	}
}

func (m *meeting) planned() meetingPlanned {
	return meetingPlanned{
		meetingView: m.view(), Data: m.data(), CreatedAt: zoned(m.createdAt), UpdatedAt: zoned(m.updatedAt),
	}
}

// meetingsOf returns a user's meetings that fit, newest first.
func (d *database) meetingsOf(userID int64, fit func(*meeting) bool) []*meeting {
	var all []*meeting
	for _, m := range slices.Backward(d.meetings) {
		if m.userID == userID && fit(m) {
			all = append(all, m)
		}
	}
	return all
}

func anyMeeting(*meeting) bool { return true }

// meetingOf finds the user's meeting that the path names, by id or by platform and native id.
func (d *database) meetingOf(userID int64, c *call) *meeting {
	id, _ := strconv.ParseInt(c.params["meeting_id"], 10, 64)
	platform, native := c.params["platform"], c.params["native_meeting_id"]
	found := d.meetingsOf(userID, func(m *meeting) bool {
		return c.params["meeting_id"] != "" && m.id == id ||
			native != "" && m.platform == platform && m.nativeID == native
	})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (s *Server) ownsMeeting(userID int64, ref meetingRef) bool {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return len(s.db.meetingsOf(userID, func(m *meeting) bool {
		return m.platform == ref.Platform && m.nativeID == ref.NativeID
	})) > 0
}

func listedAll(meetings []*meeting) []botListed {
	all := []botListed{}
	for _, m := range meetings {
		all = append(all, m.listed())
	}
	return all
}

func (s *Server) listBots(_ *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return jsonAnswer(http.StatusOK, struct {
		Meetings []botListed `json:"meetings"`
		More     bool        `json:"has_more"`
	}{listedAll(s.db.meetingsOf(who.UserID, anyMeeting)), false})
}

func (s *Server) botsStatus(_ *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	running := listedAll(s.db.meetingsOf(who.UserID, (*meeting).active))
	return jsonAnswer(http.StatusOK, struct {
		Running []botListed `json:"running"`
		Bots    []botListed `json:"running_bots"`
		Count   int         `json:"count"`
	}{running, running, len(running)})
}

// createBot sends a bot to a meeting, if it is not there already and the user may have one more.
func (s *Server) createBot(c *call, who validated) answer {
	var ask struct {
		Platform string `json:"platform"`
		NativeID string `json:"native_meeting_id"`
	}
	_ = json.Unmarshal(c.body, &ask)
	if ask.Platform == "" || ask.NativeID == "" {
		return detail(http.StatusUnprocessableEntity,
			"'platform' and 'native_meeting_id' (or 'meeting_url') are required")
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	active := s.db.meetingsOf(who.UserID, (*meeting).active)
	switch {
	case slices.ContainsFunc(active, func(m *meeting) bool {
		return m.platform == ask.Platform && m.nativeID == ask.NativeID
	}):
		return detail(http.StatusConflict,
			"An active meeting already exists for "+ask.Platform+"/"+ask.NativeID)
	case int64(len(active)) >= who.Max:
		return detail(http.StatusTooManyRequests,
			"User has reached the maximum concurrent bot limit ("+strconv.FormatInt(who.Max, 10)+").")
	}
	m := s.insertMeeting(&meeting{
		userID: who.UserID, platform: ask.Platform, nativeID: ask.NativeID,
		status: "requested", session: s.random.uuid(),
		decision: s.random.hex32() + s.random.hex32(),
	})
	m.container = "mtg-" + strconv.FormatInt(m.id, 10) + "-" + m.session[:8]
	m.segments = []segment{{0, 2.5, "Ada", "Shall we begin?"}, {2.5, 5, "Grace", "Let us."}}
	return jsonAnswer(http.StatusCreated, m.created())
}

// insertMeeting adds a row, under the database's lock.
func (s *Server) insertMeeting(m *meeting) *meeting {
	s.db.meetingSeq++
	m.id = s.db.meetingSeq
	m.createdAt = s.now()
	m.updatedAt = m.createdAt
	s.db.meetings = append(s.db.meetings, m)
	return m
}

// stopBot ends the bot and leaves a recording behind.
func (s *Server) stopBot(c *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	m := s.db.meetingOf(who.UserID, c)
	switch {
	case s.legacy() && m == nil:
		return detail(http.StatusNotFound, "No meeting found to stop.")
	case s.legacy() && !m.active():
		return jsonAnswer(http.StatusAccepted,
			map[string]string{"message": "Meeting already " + m.status + "."})
	case !s.legacy() && !slices.Contains(platforms012, c.params["platform"]):
		return detail(http.StatusUnprocessableEntity, "unsupported platform '"+c.params["platform"]+
			"' — must be one of: "+strings.Join(platforms012, ", "))
	case m == nil || !m.active():
		return detail(http.StatusNotFound, "No active meeting for this bot")
	}
	m.status, m.updatedAt = "stopping", s.now()
	s.insertRecording(m)
	if s.legacy() {
		return jsonAnswer(http.StatusAccepted,
			map[string]string{"message": "Stop request accepted and is being processed."})
	}
	return jsonAnswer(http.StatusOK, struct {
		Status    string   `json:"status"`
		ID        int64    `json:"meeting_id"`
		NativeID  string   `json:"native_meeting_id"`
		Also      []string `json:"also_stopped"`
		Cancelled []string `json:"cancelled"`
	}{"stopping", m.id, m.nativeID, []string{}, []string{}})
}

func (s *Server) noMeeting(c *call) answer {
	if native := c.params["native_meeting_id"]; native != "" {
		return detail(http.StatusNotFound,
			"Meeting not found for platform "+c.params["platform"]+" and ID "+native)
	}
	return detail(http.StatusNotFound, "Meeting not found")
}

// withMeeting answers by the meeting that the path names, or that there is none.
func (s *Server) withMeeting(c *call, who validated, show func(*meeting) answer) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if m := s.db.meetingOf(who.UserID, c); m != nil {
		return show(m)
	}
	return s.noMeeting(c)
}

var platforms012 = []string{"browser_session", "google_meet", "jitsi", "teams", "zoom"}

// commandBot is what 0.10 tells a running bot. 0.12's gateway still has two of these routes, and nobody
// behind it answers them.
func (s *Server) commandBot(c *call, who validated) answer {
	if !s.legacy() {
		return notFound
	}
	command := c.path[strings.LastIndex(c.path, "/")+1:]
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	m := s.db.meetingOf(who.UserID, c)
	if m == nil || !m.active() {
		return s.noBot(c, m, command)
	}
	if command == "config" {
		return jsonAnswer(http.StatusAccepted,
			map[string]string{"message": "Reconfiguration request accepted and sent to the bot."})
	}
	return jsonAnswer(http.StatusAccepted, struct {
		Message string `json:"message"`
		ID      int64  `json:"meeting_id"`
	}{commandSent[c.method+" "+command], m.id})
}

// commandSent is how 0.10 confirms a command.
var commandSent = map[string]string{
	"POST speak": "Speak command sent", "DELETE speak": "Speak stop command sent",
	"POST chat":   "Chat message sent",
	"POST screen": "Screen content command sent", "DELETE screen": "Screen stop command sent",
	"PUT avatar": "Avatar set command sent", "DELETE avatar": "Avatar reset command sent",
}

// noBot is 0.10's refusal to command a bot that does not run.
func (s *Server) noBot(c *call, m *meeting, command string) answer {
	switch {
	case command == "config" && m != nil:
		return detail(http.StatusConflict, "Meeting found but not active (status: '"+m.status+"')")
	case command == "config":
		return detail(http.StatusNotFound, "No active meeting found")
	}
	return detail(http.StatusNotFound,
		"No active meeting found for "+c.params["platform"]+"/"+c.params["native_meeting_id"])
}

func (s *Server) botChat(c *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	switch m := s.db.meetingOf(who.UserID, c); {
	case m == nil && s.legacy():
		return detail(http.StatusNotFound,
			"No meeting found for "+c.params["platform"]+"/"+c.params["native_meeting_id"])
	case m == nil:
		return s.noMeeting(c)
	case s.legacy():
		return jsonAnswer(http.StatusOK, struct {
			Messages []string `json:"messages"`
			ID       int64    `json:"meeting_id"`
		}{[]string{}, m.id})
	}
	return jsonAnswer(http.StatusOK, map[string][]string{"messages": {}})
}

func (s *Server) listMeetings(_ *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return jsonAnswer(http.StatusOK,
		map[string][]botListed{"meetings": listedAll(s.db.meetingsOf(who.UserID, anyMeeting))})
}

// planMeeting notes a meeting without a bot. What platform it will be on is not believed yet.
func (s *Server) planMeeting(c *call, who validated) answer {
	var ask struct {
		Title string `json:"title"`
	}
	_ = json.Unmarshal(c.body, &ask)
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	m := s.insertMeeting(&meeting{userID: who.UserID, platform: "unknown", status: "idle", title: ask.Title})
	return jsonAnswer(http.StatusCreated, m.planned())
}

func (s *Server) showMeeting(c *call, who validated) answer {
	return s.withMeeting(c, who, func(m *meeting) answer { return jsonAnswer(http.StatusOK, m.listed()) })
}

func (s *Server) changeMeeting(c *call, who validated) answer {
	return s.withMeeting(c, who, func(m *meeting) answer {
		var ask struct {
			Title *string `json:"title"`
		}
		_ = json.Unmarshal(c.body, &ask)
		if ask.Title != nil {
			m.title = *ask.Title
		}
		m.updatedAt = s.now()
		return jsonAnswer(http.StatusOK, m.listed())
	})
}

func (s *Server) deleteMeeting(c *call, who validated) answer {
	return s.withMeeting(c, who, func(m *meeting) answer {
		s.db.meetings = slices.DeleteFunc(s.db.meetings, func(other *meeting) bool { return other == m })
		return jsonAnswer(http.StatusOK, map[string]string{"message": "Meeting deleted"})
	})
}

func (s *Server) shareMeeting(c *call, who validated) answer {
	if !s.legacy() && strings.HasPrefix(c.path, "/meetings/") && !s.hasMeeting(c, who) {
		return detail(http.StatusNotFound,
			"Meeting not found for "+c.params["platform"]+"/"+c.params["native_meeting_id"])
	}
	return s.withMeeting(c, who, func(*meeting) answer {
		return jsonAnswer(http.StatusOK, map[string]string{"share_id": s.random.text(24)})
	})
}

// acceptShare knows no share: those that are made here are not kept.
func (s *Server) acceptShare(c *call, _ validated) answer {
	var ask struct {
		Token string `json:"token"`
	}
	switch err := json.Unmarshal(c.body, &ask); {
	case err != nil && !json.Valid(c.body):
		return detail(http.StatusUnprocessableEntity, "invalid JSON body")
	case strings.TrimSpace(ask.Token) == "":
		return detail(http.StatusUnprocessableEntity, "'token' is required")
	}
	return detail(http.StatusNotFound, "invalid or unknown share token")
}

// transcriptByID names the meeting when there is none.
func (s *Server) transcriptByID(c *call, who validated) answer {
	if !s.hasMeeting(c, who) {
		return detail(http.StatusNotFound, "Meeting "+c.params["meeting_id"]+" not found")
	}
	return s.showTranscript(c, who)
}

func (s *Server) hasMeeting(c *call, who validated) bool {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.meetingOf(who.UserID, c) != nil
}

func (s *Server) showTranscript(c *call, who validated) answer {
	return s.withMeeting(c, who, func(m *meeting) answer {
		return jsonAnswer(http.StatusOK, struct {
			meetingView
			Segments []segment `json:"segments"`
		}{m.view(), append([]segment{}, m.segments...)})
	})
}

func (s *Server) calendarSync(*call, validated) answer {
	return jsonAnswer(http.StatusOK, map[string]any{"status": "idle", "last_synced_at": nil})
}
