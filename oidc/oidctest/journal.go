package oidctest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// journalSize bounds each list of the journal; the oldest entries go first.
const journalSize = 1000

// TokenRequest is one request to a token endpoint, as it came and as it was answered.
type TokenRequest struct {
	At         time.Time
	Path       string
	GrantType  string
	ClientID   string
	ClientAuth string // client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or none
	Form       url.Values
	Header     http.Header
	Status     int
}

// AuthorizeRequest is one request to an authorization endpoint.
type AuthorizeRequest struct {
	At     time.Time
	Path   string
	Params url.Values
}

// Journal records what was asked of a double.
type Journal struct {
	mu        sync.Mutex
	counts    map[Endpoint]int
	tokens    []TokenRequest
	authorize []AuthorizeRequest
}

// Requests is how many requests an endpoint has had, faulty answers included.
func (j *Journal) Requests(endpoint Endpoint) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[endpoint]
}

// TokenRequests are the last 1,000 token requests that reached the endpoint through its faults, oldest first.
func (j *Journal) TokenRequests() []TokenRequest {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.tokens)
}

// AuthorizeRequests are the last 1,000 authorization requests that reached the endpoint through
// its faults, oldest first.
func (j *Journal) AuthorizeRequests() []AuthorizeRequest {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.authorize)
}

func (j *Journal) count(endpoint Endpoint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.counts == nil {
		j.counts = map[Endpoint]int{}
	}
	j.counts[endpoint]++
}

func (j *Journal) recordToken(entry TokenRequest) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Form, entry.Header = maps.Clone(entry.Form), entry.Header.Clone()
	j.tokens = append(trim(j.tokens), entry)
}

func (j *Journal) recordAuthorize(entry AuthorizeRequest) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Params = maps.Clone(entry.Params)
	j.authorize = append(trim(j.authorize), entry)
}

func trim[T any](entries []T) []T {
	if len(entries) < journalSize {
		return entries
	}
	return slices.Delete(entries, 0, len(entries)-journalSize+1)
}
