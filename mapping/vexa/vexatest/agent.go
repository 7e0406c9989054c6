package vexatest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// agent is 0.12's /agent/*, which becomes /api/* of the agent service.
func (s *Server) agent(c *call, who validated) answer {
	path := resolveDots("/api/" + c.params["path"])
	if isEventPath(path) && s.parts.condition(AgentAPI) == Down {
		a := s.eventStream(AgentAPI) // it has said 200 before it finds out
		a.stream = func(*eventWriter) {}
		return a
	}
	return s.forward(c, who, AgentAPI, path, func() answer {
		switch {
		case path == "/api/chat" && c.method == "POST":
			return s.chat(c, who)
		case path == "/api/meeting/stream" && c.method == "GET":
			return s.longStream(c, who, s.eventStream(AgentAPI), func(w *eventWriter) {
				w.event("ready", "{}")
			})
		case path == "/api/sessions" && c.method == "GET":
			return s.agentSessions(c, who)
		case path == "/api/routines" || strings.HasPrefix(path, "/api/routines/"):
			return s.routines(c, who, path)
		}
		return notFound
	})
}

// chat010 asks for no key: it merely looks who has one.
func (s *Server) chat010(c *call) answer {
	var who validated
	if key := c.header("x-api-key"); key != "" {
		who, _ = s.verify(c.ctx, key)
	}
	return s.forward(c, who, AgentAPI, c.path, func() answer { return s.chat(c, who) })
}

// chat answers as an agent does: word by word.
func (s *Server) chat(c *call, who validated) answer {
	var asked struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(c.body, &asked)
	a := s.eventStream(AgentAPI)
	a.stream = func(w *eventWriter) {
		for _, delta := range []string{"You ", "said: ", asked.Message} {
			w.event("message", string(compact(map[string]string{"delta": delta})))
		}
		w.event("done", string(compact(map[string]string{"user": who.Email})))
	}
	return a
}

func (s *Server) agentSessions(*call, validated) answer {
	return jsonAnswer(http.StatusOK, map[string][]string{"sessions": {}})
}
