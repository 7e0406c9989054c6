package vexatest

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// routine is something that 0.12's agent does on a schedule. The scheduler shows no key for it.
type routine struct {
	id, name, cron, prompt string
	userID                 int64

	// file: it is written in a file of the user's workspace, which says whether it is enabled. To delete it
	// cancels the next run, until the workspace is looked through again.
	file    bool
	enabled bool
}

type routineView struct {
	ID        string  `json:"id"`
	Owner     string  `json:"owner"`
	Name      string  `json:"name"`
	File      string  `json:"routine_name"`
	Enabled   bool    `json:"enabled"`
	Kind      string  `json:"kind"`
	Lifecycle string  `json:"lifecycle"`
	Cron      string  `json:"cron"`
	PlanKind  string  `json:"plan_kind"`
	Plan      string  `json:"plan_summary"`
	JobID     *string `json:"job_id"`
	NextRun   *string `json:"next_run"`
	Status    *string `json:"status"`
}

func (r *routine) view() routineView {
	v := routineView{
		ID: r.id, Owner: strconv.FormatInt(r.userID, 10), Name: r.name, File: r.name, Enabled: r.enabled,
		Kind: "scheduled", Lifecycle: "oneshot", Cron: r.cron, PlanKind: "prompt", Plan: r.prompt,
	}
	status := "disabled"
	if r.enabled {
		job := "job_" + r.id
		v.JobID, status = &job, "pending"
	}
	v.Status = &status
	return v
}

// AddRoutineFile writes a routine into the user's workspace, as their agent does when it is asked to.
func (s *Server) AddRoutineFile(userID int64, name string) {
	s.addRoutine(&routine{userID: userID, name: name, cron: "0 9 * * *", prompt: "Do it.", file: true})
}

// RunRoutines lets the scheduler's time come: it returns the names of those of the user's routines that run.
func (s *Server) RunRoutines(userID int64) (ran []string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, r := range s.db.routines {
		if r.userID == userID && r.enabled {
			ran = append(ran, r.name)
		}
	}
	return ran
}

func (s *Server) addRoutine(r *routine) *routine {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	digest := sha1.Sum([]byte(fmt.Sprintf("%d|%s|%s", r.userID, r.name, r.cron)))
	r.id, r.enabled = "rt_"+hex.EncodeToString(digest[:])[:10], true
	s.db.routines = append(s.db.routines, r)
	return r
}

// routines is agent-api's /api/routines.
func (s *Server) routines(c *call, who validated, path string) answer {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, "/api/routines"), "/")
	name, last, _ := strings.Cut(rest, "/")
	switch {
	case rest == "" && c.method == "GET":
		return s.listRoutines(who)
	case rest == "" && c.method == "POST":
		return s.createRoutine(c, who)
	case last == "enabled" && c.method == "PATCH":
		return s.enableRoutine(c, who, name)
	case rest == name && c.method == "DELETE":
		return s.deleteRoutine(who, name)
	}
	return notFound
}

func (s *Server) listRoutines(who validated) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	all := []routineView{}
	for _, r := range s.db.routines {
		if r.userID == who.UserID {
			all = append(all, r.view())
		}
	}
	return jsonAnswer(http.StatusOK, map[string][]routineView{"routines": all})
}

func (s *Server) createRoutine(c *call, who validated) answer {
	var ask struct {
		Name   string `json:"name"`
		Cron   string `json:"cron"`
		Prompt string `json:"prompt"`
	}
	if json.Unmarshal(c.body, &ask) != nil || ask.Name == "" || ask.Cron == "" || ask.Prompt == "" {
		return unprocessable(missing(json.RawMessage("{}"), "body", "name"))
	}
	r := s.addRoutine(&routine{userID: who.UserID, name: ask.Name, cron: ask.Cron, prompt: ask.Prompt})
	return jsonAnswer(http.StatusCreated, struct {
		Routine map[string]any `json:"routine"`
		JobID   string         `json:"job_id"`
		Ran     bool           `json:"ran_now"`
	}{map[string]any{"id": r.id, "name": r.name, "enabled": true}, "job_" + r.id, false})
}

var unknownRoutine = detail(http.StatusNotFound, "unknown routine")

// enableRoutine rewrites the file of a routine. What was made by POST has none.
func (s *Server) enableRoutine(c *call, who validated, name string) answer {
	var ask struct {
		Enabled *bool `json:"enabled"`
	}
	if json.Unmarshal(c.body, &ask) != nil || ask.Enabled == nil {
		return unprocessable(missing(json.RawMessage("{}"), "body", "enabled"))
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, r := range s.db.routines {
		if r.userID == who.UserID && r.file && r.name == name {
			r.enabled = *ask.Enabled
			return jsonAnswer(http.StatusOK, map[string]any{"ok": true, "name": name, "enabled": r.enabled})
		}
	}
	return unknownRoutine
}

// deleteRoutine cancels the job. That of a file comes back, so nothing is lost here but what has no file.
func (s *Server) deleteRoutine(who validated, id string) answer {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	i := slices.IndexFunc(s.db.routines, func(r *routine) bool {
		return r.userID == who.UserID && r.id == id && r.enabled
	})
	if i < 0 {
		return unknownRoutine
	}
	if !s.db.routines[i].file {
		s.db.routines = slices.Delete(s.db.routines, i, i+1)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"ok": true, "routine_id": id})
}
