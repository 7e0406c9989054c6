package vexatest

import (
	"net/http"
	"regexp"
	"strconv"
	"sync"
)

// Calls counts what the Admin API was asked with the right key, and what came of it. What a fault ended
// before anything happened is not in it: see Injected.Hits.
type Calls struct {
	CreateUser, PatchUser, Mint, Delete       int // calls, whatever the outcome
	UsersCreated, TokensMinted, TokensDeleted int // effects
	Validations                               int // keys looked up for the gateway
}

type calls struct {
	mu       sync.Mutex
	count    Calls
	inFlight map[int64]int
	peak     map[int64]int
}

func newCalls() *calls { return &calls{inFlight: make(map[int64]int), peak: make(map[int64]int)} }

// Calls returns the counts so far.
func (s *Server) Calls() Calls {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.calls.count
}

// PeakMints returns the largest number of mints for that user that were under way at one time, counted from
// when the Admin API took the call to when it answered, holds included.
func (s *Server) PeakMints(userID int64) int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.calls.peak[userID]
}

func (c *calls) add(note func(*Calls)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	note(&c.count)
}

var mintPath = regexp.MustCompile(`\A/admin/users/(\d+)/tokens\z`)

// minting notes that a mint begins, if this is one; the function that it returns, that it has ended.
func (c *calls) minting(one *call) func() {
	m := mintPath.FindStringSubmatch(one.path)
	if m == nil || one.method != http.MethodPost {
		return func() {}
	}
	userID, _ := strconv.ParseInt(m[1], 10, 64)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight[userID]++
	c.peak[userID] = max(c.peak[userID], c.inFlight[userID])
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inFlight[userID]--
	}
}
