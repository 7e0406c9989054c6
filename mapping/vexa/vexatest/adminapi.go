package vexatest

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
)

// service is one process: its routes, its record of what came in.
type service struct {
	wire   *Wire
	routes atomic.Pointer[router] // of the generation that it is now
}

func (s *Server) adminRoutes() *router {
	routes := &router{}
	root := "Vexa Admin API (v0.12)"
	if s.legacy() {
		root = "Vexa Admin API"
	}
	s.addDocs(routes, root)
	routes.add("GET /", func(*call) answer {
		return jsonAnswer(http.StatusOK, struct {
			Message string `json:"message"`
		}{root})
	})
	if !s.legacy() {
		routes.add("GET /health", health("admin-api"))
	}
	routes.add("POST /admin/users", s.asAdmin(s.counted(func(c *Calls) { c.CreateUser++ }, s.createUser)))
	if s.legacy() {
		routes.add("GET /admin/users", s.asAnalyst(s.listUsers))
	}
	routes.add("GET /admin/users/email/{email}", s.asAdmin(s.userByEmail))
	routes.add("GET /admin/users/{user_id}", s.asAdmin(s.userByID))
	if s.legacy() {
		routes.add("PATCH /admin/users/{user_id}",
			s.asAdmin(s.counted(func(c *Calls) { c.PatchUser++ }, s.patchUser010)))
	} else {
		routes.add("PATCH /admin/users/{user_id}",
			s.asAdmin(s.counted(func(c *Calls) { c.PatchUser++ }, s.patchUser012)))
		routes.add("GET /admin/users/{user_id}/tokens", s.asAdmin(s.listTokens))
	}
	routes.add("POST /admin/users/{user_id}/tokens",
		s.asAdmin(s.counted(func(c *Calls) { c.Mint++ }, s.mintToken)))
	routes.add("DELETE /admin/tokens/{token_id}",
		s.asAdmin(s.counted(func(c *Calls) { c.Delete++ }, s.deleteToken)))
	routes.add("POST /internal/validate", s.validateToken)
	s.addUserTier(routes)
	return routes
}

func health(service string) func(*call) answer {
	return func(*call) answer {
		return jsonAnswer(http.StatusOK, struct {
			Status  string `json:"status"`
			Service string `json:"service"`
		}{"ok", service})
	}
}

// asAdmin guards a route with the admin key. FastAPI parses the body first, so that unparsable JSON is
// refused whoever sent it; what the body says is looked at only afterwards.
func (s *Server) asAdmin(handle func(*call, payload) answer) func(*call) answer {
	return func(c *call) answer {
		p := payload{absent: true}
		if !s.legacy() || !isMint(c) { // 0.10 does not read the body of a mint
			var refused *answer
			if p, refused = readPayload(c); refused != nil {
				return *refused
			}
		}
		key := c.header("x-admin-api-key")
		for i := range len(key) {
			if key[i] > 0x7f {
				return crash() // compare_digest takes no such string
			}
		}
		if subtle.ConstantTimeCompare([]byte(key), []byte(s.config.AdminToken)) != 1 {
			return detail(http.StatusForbidden, "Invalid or missing admin token.")
		}
		return handle(c, p)
	}
}

func isMint(c *call) bool { return c.method == http.MethodPost && c.params["user_id"] != "" }

// asAnalyst guards 0.10's list of users, whose guard words its refusal in its own way.
func (s *Server) asAnalyst(handle func(*call, payload) answer) func(*call) answer {
	guarded := s.asAdmin(handle)
	return func(c *call) answer {
		if c.header("x-admin-api-key") == "" {
			return detail(http.StatusForbidden, "Missing API key")
		}
		return guarded(c)
	}
}

// counted notes that the route was called with the right key, whatever comes of it.
func (s *Server) counted(note func(*Calls), handle func(*call, payload) answer) func(*call, payload) answer {
	return func(c *call, p payload) answer {
		s.calls.add(note)
		return handle(c, p)
	}
}

// errNoAnswer: the connection was refused or cut. errTimeout: nobody answered in time.
var (
	errNoAnswer = errors.New("no answer")
	errTimeout  = errors.New("timeout")
)

// askAdmin lets the Admin API answer, or not, as its condition and the faults have it.
// The gateway calls it, too.
func (s *Server) askAdmin(c *call) (answer, error) {
	if err := s.parts.await(c.ctx, AdminAPI, s.closing); err != nil {
		return answer{}, err
	}
	defer s.calls.minting(c)()
	return s.faults.around(AdminAPI, c, s.closing, func() answer {
		route, refused := s.admin.routes.Load().find(c)
		if refused != nil {
			return *refused
		}
		if usesDatabase(c.path) && s.parts.condition(Database) != Up {
			return crash()
		}
		return route.handle(c)
	})
}

func usesDatabase(path string) bool {
	return strings.HasPrefix(path, "/admin/") || strings.HasPrefix(path, "/internal/") ||
		strings.HasPrefix(path, "/user/")
}

func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	c := newCall(r)
	c.read() // the Admin API's routes declare their bodies: FastAPI reads them before anything else
	a, err := s.askAdmin(c)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.dress(a).send(w, s.now())
}

// dress adds 0.10's security headers, which its middleware puts on all but crashes.
func (s *Server) dress(a answer) answer {
	if !s.legacy() || a.plain {
		return a
	}
	return a.with("X-Content-Type-Options", "nosniff").with("X-XSS-Protection", "1; mode=block").
		with("Referrer-Policy", "strict-origin-when-cross-origin").with("X-Frame-Options", "DENY")
}
