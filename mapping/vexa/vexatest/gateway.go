package vexatest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// edge is the gateway: its routes, and what it remembers between requests.
type edge struct {
	service
	mu     sync.Mutex
	cookie string               // its HTTP client's jar, shared by all users
	cache  map[string]cacheLine // 0.10: validations
	limits limits
}

// install makes both services the generation that they are to be, on the database that there is.
func (s *Server) install(generation string) {
	s.generation.Store(&generation)
	s.db.legacy.Store(s.legacy())
	s.ForgetValidations()
	routes, limit := &router{}, RateLimit{}
	if s.legacy() {
		s.addRoutes010(routes)
		limit = raised010
	} else {
		s.addRoutes012(routes)
	}
	s.SetRateLimit(limit)
	s.gateway.routes.Store(routes)
	s.admin.routes.Store(s.adminRoutes())
}

// Become is an upgrade, or a rollback, in place: the database, the ports and the secrets stay. As when
// processes are replaced, what is open is cut.
func (s *Server) Become(generation string) {
	for _, one := range []*service{s.admin, &s.gateway.service} {
		one.wire.refuse(true)
		defer one.wire.refuse(false)
	}
	s.install(generation)
}

func (s *Server) addRoutes012(r *router) {
	s.addDocs(r, "Vexa API Gateway (v0.12)")
	r.add("GET /health", health("gateway"))
	r.add("GET /auth/me", s.guarded(needNone, s.authMe))
	s.addClientRoutes(r, routes012)
	r.addAll(anyMethod, "/agent/{path:path}", s.guarded(needEither, s.agent))
	for _, path := range []string{"/mcp", "/mcp/{path:path}"} {
		r.add("GET "+path, s.guarded(needEither, s.mcp))
		r.addAll([]string{"DELETE", "OPTIONS", "PATCH", "POST", "PUT"}, path, s.guarded(needEither, s.mcp))
	}
}

func (s *Server) addRoutes010(r *router) {
	s.addDocs(r, "Vexa API Gateway")
	r.add("GET /", func(*call) answer {
		return jsonAnswer(http.StatusOK, struct {
			Message string `json:"message"`
		}{"Welcome to the Vexa API Gateway"})
	})
	r.add("GET /auth/me", s.authMe010)
	if !s.config.Production {
		r.add("POST /bots/internal/callback/{kind:path}", func(c *call) answer {
			return s.forward(c, validated{}, MeetingAPI, c.path, func() answer {
				return jsonAnswer(http.StatusOK, map[string]string{"status": "ok"})
			})
		})
	}
	s.addClientRoutes(r, routes010)
	r.addAll(anyMethod, "/admin/{path:path}", s.proxyAdmin)
	r.add("POST /api/chat", s.chat010)
	for _, path := range []string{"/mcp", "/mcp/{path:path}"} {
		r.addAll(append([]string{"OPTIONS"}, anyMethod...), path, func(c *call) answer {
			c.read()
			return s.mcp010(c)
		})
	}
}

var anyMethod = []string{"DELETE", "GET", "PATCH", "POST", "PUT"}

func (s *Server) addClientRoutes(r *router, table []clientRoute) {
	for _, one := range table {
		route := strings.ReplaceAll(one.route, ":int}", "}")
		numeric := route != one.route
		guarded := s.guarded(one.scopes, func(c *call, who validated) answer {
			if one.to == AdminAPI {
				return s.forwardToAdmin(c)
			}
			return s.forward(c, who, one.to, c.path, func() answer { return one.real(s, c, who) })
		})
		// FastAPI looks at path parameters before the handler looks at the key.
		r.add(route, func(c *call) answer {
			if refused := s.checkParams(c, numeric); refused != nil {
				return *refused
			}
			return guarded(c)
		})
	}
}

func (s *Server) checkParams(c *call, numeric bool) *answer {
	if numeric {
		if _, bad := queryInteger(c.params["meeting_id"], "path", "meeting_id"); bad != nil {
			a := unprocessable(*bad)
			return &a
		}
	}
	if platform, ok := c.params["platform"]; ok && s.legacy() && !slices.Contains(platforms010, platform) {
		const expected = "'google_meet', 'zoom', 'teams' or 'browser_session'"
		a := unprocessable(problem{
			Type: "enum", Loc: loc("path", "platform"), Msg: "Input should be " + expected,
			Input: compact(platform), Ctx: struct {
				Expected string `json:"expected"`
			}{expected},
		})
		return &a
	}
	return nil
}

var platforms010 = []string{"google_meet", "zoom", "teams", "browser_session"}

// guarded lets a request pass that has a good key with one of the scopes.
func (s *Server) guarded(scopes []string, next func(*call, validated) answer) func(*call) answer {
	return func(c *call) answer {
		who, refused := s.authenticate(c)
		switch {
		case refused != nil:
			return *refused
		case scopes != nil && !slices.ContainsFunc(scopes, func(scope string) bool {
			return slices.Contains(who.Scopes, scope)
		}):
			return spacedDetail(http.StatusForbidden, "Insufficient scope for this endpoint")
		case !s.legacy() && c.path != "/auth/me" && !s.allowUser(who.UserID):
			return spacedDetail(http.StatusTooManyRequests, "Rate limit exceeded").with("Retry-After", "1")
		case !s.legacy() && hasControl(c.params):
			return spacedDetail(http.StatusBadRequest, "invalid path parameter")
		}
		return next(c, who)
	}
}

func hasControl(params map[string]string) bool {
	for _, value := range params {
		if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return true
		}
	}
	return false
}

type me struct {
	UserID int64    `json:"user_id"`
	Email  string   `json:"email"`
	Scopes []string `json:"scopes"`
	Max    int64    `json:"max_concurrent"`
}

func (s *Server) authMe(_ *call, who validated) answer {
	return jsonAnswer(http.StatusOK, me{who.UserID, who.Email, who.Scopes, who.Max})
}

// authMe010 writes its refusals with another pen than the routes that forward.
func (s *Server) authMe010(c *call) answer {
	who, refused := s.authenticate(c)
	if refused != nil {
		refused.body = []byte(strings.Replace(string(refused.body), `: "`, `:"`, 1))
		return *refused
	}
	return s.authMe(c, who)
}

// maxHead is what httptools takes of request line and headers: 64 KiB were fine on
// the wire, 200 KiB were not.
const maxHead = 128 << 10

func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	c := newCall(r)
	if err := s.parts.await(c.ctx, Gateway, s.closing); err != nil {
		panic(http.ErrAbortHandler)
	}
	if headSize(c) > maxHead {
		answer{
			status: http.StatusBadRequest, contentType: "text/plain; charset=utf-8",
			body: []byte("Invalid HTTP request received."), hangUp: true,
		}.send(w, s.now())
		return
	}
	if isUpgrade(c) {
		s.serveSocket(w, r, c)
		return
	}
	a, err := s.faults.around(Gateway, c, s.closing, func() answer { return s.askGateway(c) })
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	a.send(w, s.now())
	if c.unread != nil { // uvicorn reads on, for the sake of the next request on the connection
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, c.unread)
	}
}

func headSize(c *call) int {
	size := 0
	for _, h := range c.headers {
		size += len(h.name) + len(h.value) + 4
	}
	return size
}

// askGateway answers a request, with the headers that each generation puts on everything.
func (s *Server) askGateway(c *call) answer {
	if s.legacy() {
		return s.askGateway010(c)
	}
	c.traceID = c.header("x-trace-id")
	if c.traceID == "" {
		c.traceID = s.random.hex32()
	}
	return s.route(c).with("X-Trace-Id", c.traceID)
}

func (s *Server) route(c *call) answer {
	route, refused := s.gateway.routes.Load().find(c)
	if refused != nil {
		return *refused
	}
	return route.handle(c)
}

// askGateway010 has 0.10's middlewares: CORS outside, then the rate limit, then the security headers.
func (s *Server) askGateway010(c *call) answer {
	origin, cors := first(c.headers, "origin")
	method, preflight := first(c.headers, "access-control-request-method")
	if cors && preflight && c.method == http.MethodOptions && origin != "" && method != "" {
		return s.preflight(c)
	}
	a := s.limited010(c, func() answer { return s.dress(s.route(c)) })
	if cors {
		a = a.with("Access-Control-Allow-Origin", "*")
	}
	return a
}

func (s *Server) preflight(c *call) answer {
	a := answer{
		status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("OK"), headers: []pair{
			{"Access-Control-Allow-Origin", "*"},
			{"Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
			{"Access-Control-Max-Age", "600"},
		},
	}
	if wanted, ok := first(c.headers, "access-control-request-headers"); ok {
		a = a.with("Access-Control-Allow-Headers", wanted)
	}
	return a
}
