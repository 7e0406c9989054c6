package vexatest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// Close codes of /ws.
const (
	closeUnauthorized websocket.StatusCode = 4401
	closeUnavailable  websocket.StatusCode = 4503
)

func isUpgrade(c *call) bool { return strings.EqualFold(c.header("upgrade"), "websocket") }

// serveSocket upgrades first and looks at the key afterwards, as both generations do. No Origin, no scope is
// looked at. Once open, a socket lives on whatever becomes of its key.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request, c *call) {
	if c.path != "/ws" {
		h := w.Header()
		h.Set("Date", s.now().Format(http.TimeFormat))
		h.Set("Content-Type", "text/plain")
		h.Set("Content-Length", "0")
		h.Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	w.Header().Set("Server", "uvicorn")
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	ctx, cancel := context.WithCancel(s.closing)
	defer cancel()
	sock := &socket{s: s, conn: conn, ctx: ctx, subscribed: make(map[string]bool)}
	if sock.admit(c) {
		sock.run(cancel)
	}
}

// socket is one open /ws.
type socket struct {
	s    *Server
	conn *websocket.Conn
	ctx  context.Context
	who  validated // of the key; nobody in 0.10, if it is no good

	mu         sync.Mutex
	subscribed map[string]bool
}

// admit looks at the key: 0.12 turns a bad one away, 0.10 only a missing one.
func (k *socket) admit(c *call) bool {
	key := c.header("x-api-key")
	if key == "" {
		key, _ = c.param("api_key")
	}
	if key == "" {
		return k.refuse("missing_api_key", closeUnauthorized)
	}
	who, verdict := k.s.verify(k.ctx, key)
	switch {
	case verdict == good || k.s.legacy():
		k.who = who
		return true
	case verdict == unavailable:
		return k.refuse("auth_unavailable", closeUnavailable)
	}
	return k.refuse("invalid_api_key", closeUnauthorized)
}

func (k *socket) refuse(why string, code websocket.StatusCode) bool {
	k.say(frame{Type: "error", Error: why})
	_ = k.conn.Close(code, "")
	return false
}

type meetingRef struct {
	Platform string `json:"platform"`
	NativeID string `json:"native_id"`
}

// frame is what the gateway says, written by json.dumps.
type frame struct {
	Type     string       `json:"type"`
	Error    string       `json:"error,omitempty"`
	Status   int          `json:"status,omitempty"`
	Detail   string       `json:"detail,omitempty"`
	Details  any          `json:"details,omitempty"`
	Meetings []meetingRef `json:"meetings,omitempty"`
}

func (k *socket) say(f frame) { k.write(string(spaced(compact(f)))) }

func (k *socket) write(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conn.Write(k.ctx, websocket.MessageText, []byte(text))
}

// run answers the client and passes on what is published, until either goes.
func (k *socket) run(cancel context.CancelFunc) {
	one := &stream{path: "/ws", userID: k.who.UserID, end: cancel, wants: k.wants}
	k.s.streams.add(one)
	defer k.s.streams.remove(one)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for {
			select {
			case m := <-one.queue:
				k.write(m.data)
			case <-k.ctx.Done():
				return
			}
		}
	})
	defer publishing.Wait()
	defer cancel()
	for {
		_, text, err := k.conn.Read(k.ctx)
		if err != nil {
			return
		}
		k.hear(text)
	}
}

func (k *socket) wants(topic string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.subscribed[topic]
}

func (k *socket) hear(text []byte) {
	var said struct {
		Action   string          `json:"action"`
		Meetings json.RawMessage `json:"meetings"`
	}
	if !json.Valid(text) {
		k.say(frame{Type: "error", Error: "invalid_json"})
		return
	}
	if _, ok := members(text); !ok {
		k.say(frame{Type: "error", Error: k.notAnObject(text)})
		return
	}
	_ = json.Unmarshal(text, &said)
	switch said.Action {
	case "ping":
		k.say(frame{Type: "pong"})
	case "subscribe", "unsubscribe":
		refs, why := readMeetings(said.Meetings)
		if why != "" {
			k.say(frame{Type: "error", Error: "invalid_" + said.Action + "_payload", Details: why})
			return
		}
		if said.Action == "subscribe" {
			k.subscribe(refs)
			return
		}
		k.unsubscribe(refs)
	default:
		k.say(frame{Type: "error", Error: "unknown_action"})
	}
}

// notAnObject is what is said to JSON that is no object: 0.10 lets Python's own complaint out.
func (k *socket) notAnObject(text []byte) string {
	if !k.s.legacy() {
		return "invalid_json"
	}
	kind := "str"
	switch trimmed := strings.TrimSpace(string(text)); {
	case strings.HasPrefix(trimmed, "["):
		kind = "list"
	case trimmed == "null":
		kind = "NoneType"
	case trimmed == "true" || trimmed == "false":
		kind = "bool"
	case !strings.HasPrefix(trimmed, `"`):
		kind = "int"
	}
	return "'" + kind + "' object has no attribute 'get'"
}

func readMeetings(raw json.RawMessage) (refs []meetingRef, why string) {
	var items []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &items) != nil || isNull(raw) {
		return nil, "'meetings' must be a non-empty list"
	}
	if len(items) == 0 {
		return nil, "'meetings' list cannot be empty"
	}
	for _, item := range items {
		var ref meetingRef
		if json.Unmarshal(item, &ref) == nil && ref.Platform != "" && ref.NativeID != "" {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, "no valid meeting objects"
	}
	return refs, ""
}

func (k *socket) subscribe(refs []meetingRef) {
	if refused := k.authorize(refs); refused != nil {
		k.say(*refused)
		return
	}
	k.mu.Lock()
	for _, ref := range refs {
		k.subscribed[ref.Platform+"/"+ref.NativeID] = true
	}
	k.mu.Unlock()
	k.say(frame{Type: "subscribed", Meetings: refs})
}

// authorize asks meeting-api, which knows the caller by what the gateway says of them.
func (k *socket) authorize(refs []meetingRef) *frame {
	ctx, cancel := k.s.within(k.ctx, downstreamTimeout)
	defer cancel()
	refused := func(details string) *frame {
		return &frame{Type: "error", Error: "authorization_service_error", Details: details}
	}
	if err := k.s.parts.await(ctx, MeetingAPI, k.s.closing); err != nil {
		return &frame{
			Type: "error", Error: "authorization_call_failed",
			Details: "authorization_call_failed:All connection attempts failed",
		}
	}
	if k.who.UserID == 0 {
		return &frame{
			Type: "error", Error: "authorization_service_error", Status: 401,
			Detail: `{"detail":"Missing X-User-Id"}`,
		}
	}
	if k.s.echo.on(MeetingAPI) { // it lets everybody have any meeting but one called "denied"
		if i := slices.IndexFunc(refs, func(r meetingRef) bool { return r.NativeID == "denied" }); i >= 0 {
			return refused("not authorized: " + refs[i].Platform + "/denied")
		}
		return nil
	}
	for i, ref := range refs {
		if !k.s.ownsMeeting(k.who.UserID, ref) {
			return refused("meetings[" + strconv.Itoa(i) + "] not authorized or not found for user")
		}
	}
	return nil
}

func (k *socket) unsubscribe(refs []meetingRef) {
	var strangers []string
	var gone []meetingRef
	k.mu.Lock()
	for i, ref := range refs {
		topic := ref.Platform + "/" + ref.NativeID
		if !k.subscribed[topic] {
			strangers = append(strangers, "meetings["+strconv.Itoa(i)+"] not currently subscribed")
			continue
		}
		delete(k.subscribed, topic)
		gone = append(gone, ref)
	}
	k.mu.Unlock()
	if len(strangers) > 0 {
		k.say(frame{Type: "error", Error: "invalid_unsubscribe_payload", Details: strangers})
		return
	}
	k.say(frame{Type: "unsubscribed", Meetings: gone})
}
