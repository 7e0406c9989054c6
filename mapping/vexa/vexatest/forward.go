package vexatest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// forward lets a service behind the gateway answer, by its echo if that is on, else for real.
func (s *Server) forward(c *call, who validated, to Part, path string, real func() answer) answer {
	c.read() // only now, when the caller has been authenticated
	ctx, cancel := s.within(c.ctx, downstreamTimeout)
	defer cancel()
	if err := s.parts.await(ctx, to, s.closing); err != nil {
		return s.unreachable(to, err)
	}
	if s.echo.on(to) {
		return s.relayed(s.echoAnswer(c, to, s.downstream(c, who, path)))
	}
	return s.relayed(real())
}

// forwardToAdmin is for /user/*, which the Admin API serves to people.
func (s *Server) forwardToAdmin(c *call) answer {
	c.read()
	ctx, cancel := s.within(c.ctx, downstreamTimeout)
	defer cancel()
	inner := *c
	inner.ctx = ctx
	a, err := s.askAdmin(&inner)
	if err != nil {
		return s.unreachable(AdminAPI, err)
	}
	a.plain = false
	return s.relayed(a)
}

// proxyAdmin is 0.10's /admin, whose reading of paths is lax: what is not one plain path below /admin must
// never get there.
func (s *Server) proxyAdmin(c *call) answer {
	inner := *c
	inner.path = resolveDots("/admin/" + c.params["path"])
	inner.host = "admin-api:8001"
	if u, err := url.Parse(s.AdminURL); err == nil && u.Host != "" {
		inner.host = u.Host
	}
	return s.forwardToAdmin(&inner)
}

// resolveDots removes dot segments as RFC 3986, section 5.2.4 says.
func resolveDots(path string) string {
	var kept []string
	for _, segment := range strings.Split(path, "/")[1:] {
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// unreachable is what a client hears when the service behind the gateway does not answer.
func (s *Server) unreachable(part Part, err error) answer {
	timeout := errors.Is(err, errTimeout)
	switch {
	case !s.legacy() && timeout:
		return spacedDetail(http.StatusGatewayTimeout, "upstream timeout")
	case !s.legacy():
		return spacedDetail(http.StatusBadGateway, "upstream unreachable: ConnectError")
	}
	name := map[Part]string{AgentAPI: "Agent API", MCP: "MCP service"}[part]
	if name == "" {
		name = "Service"
	}
	reason := "All connection attempts failed"
	if timeout {
		reason = ""
	}
	return detail(http.StatusServiceUnavailable, name+" unavailable: "+reason)
}

// keptHeaders are those of an answer that 0.12 lets through; streams keep two more.
var keptHeaders = []string{
	"content-range", "accept-ranges", "content-disposition", "mcp-session-id", "mcp-protocol-version",
}

// relayed is an answer after it has passed the gateway.
func (s *Server) relayed(a answer) answer {
	if s.legacy() {
		a.doubled = true
		return a
	}
	if a.stream != nil {
		return a
	}
	a.headers = slices.DeleteFunc(slices.Clone(a.headers), func(h pair) bool {
		return !slices.Contains(keptHeaders, strings.ToLower(h.name))
	})
	if a.contentType == "" && a.status != http.StatusNoContent {
		a.contentType = jsonType
	}
	return a
}
