package vexatest

import (
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// RateLimit is how much a gateway lets through. The zero value limits nothing; Vexa's own are Burst 120 and
// PerSecond 40 in 0.12, PerMinute 120 and AdminPerMinute 30 in 0.10. A 0.10 that limits says so on every
// answer. At first a 0.12 limits nothing here, and a 0.10 has the limits of somebody who raised them.
type RateLimit struct {
	Burst     int     // 0.12: per user
	PerSecond float64 // 0.12

	PerMinute      int // 0.10: per key, or client address if there is none
	AdminPerMinute int // 0.10: /admin, per admin key
}

type limits struct {
	mu      sync.Mutex
	limit   RateLimit
	buckets map[int64]bucket
	windows map[string][]time.Time
}

// raised010 are limits that no test reaches.
var raised010 = RateLimit{PerMinute: 1_000_000, AdminPerMinute: 1_000_000}

type bucket struct {
	tokens float64
	at     time.Time
}

// SetRateLimit switches limits on, off, or resets them.
func (s *Server) SetRateLimit(l RateLimit) {
	g := &s.gateway.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit, g.buckets, g.windows = l, make(map[int64]bucket), make(map[string][]time.Time)
}

// allowUser takes a token out of the user's bucket.
func (s *Server) allowUser(id int64) bool {
	g, now := &s.gateway.limits, s.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit.Burst == 0 {
		return true
	}
	b, ok := g.buckets[id]
	if !ok {
		b = bucket{float64(g.limit.Burst), now}
	}
	b.tokens = math.Min(float64(g.limit.Burst), b.tokens+now.Sub(b.at).Seconds()*g.limit.PerSecond)
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	g.buckets[id] = b
	return allowed
}

// limited010 is 0.10's sliding window, which says on every answer how much is left.
func (s *Server) limited010(c *call, next func() answer) answer {
	name, limit := s.window(c)
	if limit == 0 || slices.Contains([]string{"/", "/docs", "/redoc", "/openapi.json"}, c.path) {
		return next()
	}
	left, ok := s.count(name, limit)
	if !ok {
		a := spacedDetail(http.StatusTooManyRequests, "Rate limit exceeded").with("Retry-After", "1")
		a.body = []byte(`{"detail": "Rate limit exceeded", "retry_after": 1}`)
		return a
	}
	return next().with("X-RateLimit-Remaining", strconv.Itoa(left)).
		with("X-RateLimit-Limit", strconv.Itoa(limit))
}

// window names the window that a request counts in, and its limit.
func (s *Server) window(c *call) (string, int) {
	g := &s.gateway.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasPrefix(c.path, "/admin") {
		return "admin:" + c.header("x-admin-api-key"), g.limit.AdminPerMinute
	}
	if key := c.header("x-api-key"); key != "" {
		return "key:" + key, g.limit.PerMinute
	}
	return "address:" + clientAddress(c), g.limit.PerMinute
}

// clientAddress is the peer's, or what a peer on this machine says of whom it speaks for.
func clientAddress(c *call) string {
	peer, _, _ := net.SplitHostPort(c.remote)
	if forwarded := c.header("x-forwarded-for"); forwarded != "" && peer == "127.0.0.1" {
		return strings.TrimSpace(forwarded[strings.LastIndex(forwarded, ",")+1:])
	}
	return peer
}

func (s *Server) count(name string, limit int) (left int, ok bool) {
	g, now := &s.gateway.limits, s.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	recent := g.windows[name]
	for len(recent) > 0 && !recent[0].After(now.Add(-time.Minute)) {
		recent = recent[1:]
	}
	if len(recent) < limit {
		recent, ok = append(recent, now), true
	}
	g.windows[name] = recent
	return limit - len(recent), ok
}
