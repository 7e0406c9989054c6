package vexatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// recording is what a stopped bot leaves: one media file.
type recording struct {
	id        int64
	userID    int64
	meetingID int64
	media     []byte
}

// sampleMedia is 10,000 bytes that count up.
func sampleMedia() []byte {
	media := make([]byte, 10000)
	for i := range media {
		media[i] = byte(i)
	}
	return media
}

// insertRecording adds a row, under the database's lock.
func (s *Server) insertRecording(m *meeting) {
	id := int64(len(s.db.recordings) + 1)
	s.db.recordings = append(s.db.recordings,
		&recording{id: id, userID: m.userID, meetingID: m.id, media: sampleMedia()})
}

type recordingView struct {
	ID        int64       `json:"id"`
	MeetingID int64       `json:"meeting_id"`
	Status    string      `json:"status"`
	Media     []mediaView `json:"media_files"`
}

type mediaView struct {
	ID   int64  `json:"id"`
	Type string `json:"type"`
	Size int    `json:"file_size_bytes"`
}

func (r *recording) view() recordingView {
	return recordingView{r.id, r.meetingID, "completed", []mediaView{{r.id, "audio", len(r.media)}}}
}

func (s *Server) listRecordings(_ *call, who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	all := []recordingView{}
	for _, r := range s.db.recordings {
		if r.userID == who.UserID {
			all = append(all, r.view())
		}
	}
	return jsonAnswer(http.StatusOK, map[string][]recordingView{"recordings": all})
}

func (s *Server) withRecording(c *call, who validated, show func(*recording) answer) answer {
	id, _ := strconv.ParseInt(c.params["recording_id"], 10, 64)
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, r := range s.db.recordings {
		if r.id == id && r.userID == who.UserID {
			return show(r)
		}
	}
	return detail(http.StatusNotFound, "Recording not found")
}

func (s *Server) showRecording(c *call, who validated) answer {
	return s.withRecording(c, who, func(r *recording) answer { return jsonAnswer(http.StatusOK, r.view()) })
}

func (s *Server) deleteRecording(c *call, who validated) answer {
	return s.withRecording(c, who, func(r *recording) answer {
		s.db.recordings = slices.DeleteFunc(s.db.recordings, func(other *recording) bool {
			return other == r
		})
		return jsonAnswer(http.StatusOK, struct {
			Status string `json:"status"`
			ID     int64  `json:"recording_id"`
		}{"deleted", r.id})
	})
}

func (s *Server) recordingMedia(c *call, who validated) answer {
	return s.withRecording(c, who, func(r *recording) answer { return ranged(c, "audio/wav", r.media) })
}

func (s *Server) recordingDownload(c *call, who validated) answer {
	return s.withRecording(c, who, func(r *recording) answer {
		return answer{status: http.StatusOK, contentType: "audio/wav", body: bytes.Clone(r.media)}.
			with("Content-Disposition", fmt.Sprintf(`attachment; filename="recording-%d.wav"`, r.id))
	})
}

// recordingSettings is 0.10's /recording-config, which lives in the user's data.
type recordingSettings struct {
	Enabled *bool    `json:"enabled,omitempty"`
	Modes   []string `json:"capture_modes,omitempty"`
}

func (s *Server) recordingConfig(_ *call, who validated) answer {
	on := true
	is := recordingSettings{&on, []string{"audio"}}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.user(who.UserID); u != nil {
		_ = json.Unmarshal(u.data["recording_config"], &is)
	}
	return jsonAnswer(http.StatusOK, is)
}

// putRecordingConfig merges, and answers what was ever set.
func (s *Server) putRecordingConfig(c *call, who validated) answer {
	p, refused := readPayload(c)
	if refused != nil {
		return *refused
	}
	all, bad := p.object()
	if bad != nil {
		return unprocessable(*bad)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	u := s.db.user(who.UserID)
	if u == nil {
		return detail(http.StatusNotFound, "User not found")
	}
	var is recordingSettings
	_ = json.Unmarshal(u.data["recording_config"], &is)
	for _, m := range all {
		if (m.name == "enabled" || m.name == "capture_modes") && !isNull(m.value) {
			_ = json.Unmarshal(compact(map[string]json.RawMessage{m.name: m.value}), &is)
		}
	}
	u.data = u.withData(map[string]json.RawMessage{"recording_config": compact(is)})
	return jsonAnswer(http.StatusOK, is)
}

// ranged answers with all of the media, or with the one range that was asked for (RFC 9110, section 14).
func ranged(c *call, contentType string, media []byte) answer {
	a := answer{status: http.StatusOK, contentType: contentType, body: bytes.Clone(media)}
	spec, ok := strings.CutPrefix(c.header("range"), "bytes=")
	if !ok {
		return a.with("Accept-Ranges", "bytes")
	}
	from, to, ok := oneRange(spec, len(media))
	if !ok {
		return answer{status: http.StatusRequestedRangeNotSatisfiable, contentType: contentType}.
			with("Content-Range", fmt.Sprintf("bytes */%d", len(media)))
	}
	a.status, a.body = http.StatusPartialContent, bytes.Clone(media[from:to+1])
	return a.with("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(media))).
		with("Accept-Ranges", "bytes")
}

func oneRange(spec string, size int) (from, to int, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return 0, 0, false
	}
	from, errFrom := strconv.Atoi(first)
	to, errTo := strconv.Atoi(last)
	switch {
	case errFrom != nil && errTo == nil && to > 0: // the last so many
		from, to = max(size-to, 0), size-1
	case errFrom != nil || last != "" && errTo != nil:
		return 0, 0, false
	case last == "" || to >= size:
		to = size - 1
	}
	return from, to, from <= to && from < size
}
