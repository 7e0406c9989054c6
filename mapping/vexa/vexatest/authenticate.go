package vexatest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// authenticate finds out whose key a request brings, by asking the Admin API.
func (s *Server) authenticate(c *call) (validated, *answer) {
	key := c.header("x-api-key")
	if key == "" && isMCP(c.path) {
		key = keyOfAuthorization(c.header("authorization"))
	}
	if key == "" {
		a := spacedDetail(http.StatusUnauthorized, "Missing API key")
		return validated{}, &a
	}
	who, verdict := s.verify(c.ctx, key)
	switch verdict {
	case unavailable:
		a := spacedDetail(http.StatusServiceUnavailable, "Authentication temporarily unavailable, retry").
			with("Retry-After", "1")
		return validated{}, &a
	case bad:
		a := spacedDetail(http.StatusUnauthorized, "Invalid API key")
		return validated{}, &a
	}
	return who, nil
}

func isMCP(path string) bool { return path == "/mcp" || strings.HasPrefix(path, "/mcp/") }

// keyOfAuthorization is what 0.12's /mcp makes of an Authorization header: the token of a
// Bearer, or else the whole of it.
func keyOfAuthorization(value string) string {
	value = strings.TrimSpace(value)
	if scheme, rest, _ := strings.Cut(value, " "); strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(rest)
	}
	return value
}

type verdict int

const (
	good verdict = iota
	bad
	unavailable // 0.12 alone knows the difference
)

// cacheTime is how long 0.10 believes an earlier validation.
const cacheTime = 60 * time.Second

type cacheLine struct {
	who   validated
	until time.Time
}

// verify asks for a verdict on a key. 0.10 remembers good ones for a minute, and takes
// any trouble for a bad key.
func (s *Server) verify(ctx context.Context, key string) (validated, verdict) {
	if !s.legacy() {
		return s.askValidate(ctx, key)
	}
	g, now := s.gateway, s.now()
	caching := s.parts.condition(Cache) == Up
	g.mu.Lock()
	line, hit := g.cache[key]
	g.mu.Unlock()
	if caching && hit && now.Before(line.until) {
		return line.who, good
	}
	who, v := s.askValidate(ctx, key)
	if v != good {
		return validated{}, bad
	}
	if caching {
		g.mu.Lock()
		g.cache[key] = cacheLine{who, now.Add(cacheTime)}
		g.mu.Unlock()
	}
	return who, good
}

// ForgetValidations empties 0.10's cache of validations.
func (s *Server) ForgetValidations() {
	s.gateway.mu.Lock()
	defer s.gateway.mu.Unlock()
	clear(s.gateway.cache)
}

func (s *Server) askValidate(ctx context.Context, key string) (validated, verdict) {
	ctx, cancel := s.within(ctx, authTimeout)
	defer cancel()
	a, err := s.askAdmin(&call{
		ctx:    ctx,
		method: http.MethodPost,
		path:   "/internal/validate",
		headers: []pair{
			{"x-internal-secret", s.config.InternalSecret},
			{"content-type", jsonType},
		},
		body: compact(map[string]string{"token": key}),
	})
	switch {
	case err != nil || a.status >= 500:
		return validated{}, unavailable
	case a.status != http.StatusOK:
		return validated{}, bad
	}
	var who validated
	if json.Unmarshal(a.body, &who) != nil {
		return validated{}, unavailable
	}
	return who, good
}
