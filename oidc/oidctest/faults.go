package oidctest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Endpoint names what a request to a double is for, whichever path it has there.
type Endpoint string

// The endpoints that faults and counters know.
const (
	EndpointAny        Endpoint = "" // for faults: all of them
	EndpointDiscovery  Endpoint = "discovery"
	EndpointKeys       Endpoint = "keys"
	EndpointAuthorize  Endpoint = "authorize"
	EndpointSignIn     Endpoint = "sign-in" // the button of the sign-in page
	EndpointToken      Endpoint = "token"
	EndpointUserInfo   Endpoint = "userinfo"
	EndpointIntrospect Endpoint = "introspect"
	EndpointRevoke     Endpoint = "revoke"
	EndpointLogout     Endpoint = "logout"
	EndpointDevice     Endpoint = "device"
	EndpointGraph      Endpoint = "graph"
	EndpointOther      Endpoint = "other"
)

// Fault stands between a request and the double's answer.
type Fault func(answer http.Handler) http.Handler

// Faults are what is wrong with a double at present.
type Faults struct {
	mu       sync.Mutex
	faults   map[Endpoint]Fault
	released chan struct{}
	once     sync.Once
}

func newFaults() *Faults {
	return &Faults{faults: map[Endpoint]Fault{}, released: make(chan struct{})}
}

// Break puts a fault in front of an endpoint until Mend, replacing the one that was there.
func (f *Faults) Break(endpoint Endpoint, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[endpoint] = fault
}

// Mend takes the fault of an endpoint away.
func (f *Faults) Mend(endpoint Endpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.faults, endpoint)
}

func (f *Faults) release() { f.once.Do(func() { close(f.released) }) }

func (f *Faults) around(endpoint Endpoint, answer http.Handler) http.Handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault := f.faults[endpoint]; fault != nil {
		answer = fault(answer)
	}
	if fault := f.faults[EndpointAny]; fault != nil {
		answer = fault(answer)
	}
	return answer
}

// Down drops the connection without an answer.
func Down() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// Status answers with a status and a body of plain text.
func Status(status int) Fault {
	return Answer(status, "text/plain; charset=utf-8", http.StatusText(status)+"\n")
}

// Answer answers with whatever it is given.
func Answer(status int, contentType, body string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
}

// TooManyRequests answers 429 with Retry-After in seconds. Okta.RateLimited and Entra.Throttled answer
// in their providers' words.
func TooManyRequests(retryAfter int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
			http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		})
	}
}

// MalformedJSON answers 200 with a document that ends too early.
func MalformedJSON() Fault {
	return Answer(http.StatusOK, "application/json", `{"keys": [{"kty": "RSA", `)
}

// HugeBody answers 200 with a JSON string of n bytes.
func HugeBody(n int64) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"padding": "`)
			chunk := strings.Repeat("x", 64<<10)
			for sent := int64(0); sent < n; sent += int64(len(chunk)) {
				if _, err := io.WriteString(w, chunk[:min(int64(len(chunk)), n-sent)]); err != nil {
					return
				}
			}
			fmt.Fprint(w, `"}`)
		})
	}
}

// Before calls a hook before the endpoint answers. A hook that waits makes the endpoint as slow as the
// test wants, without sleeping.
func Before(hook func(*http.Request)) Fault {
	return func(answer http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hook(r)
			answer.ServeHTTP(w, r)
		})
	}
}

// Times lets a fault through for the first n requests; those after it are answered well.
func Times(n int, fault Fault) Fault {
	var mu sync.Mutex
	return func(answer http.Handler) http.Handler {
		faulty := fault(answer)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			hit := n > 0
			n--
			mu.Unlock()
			if hit {
				faulty.ServeHTTP(w, r)
				return
			}
			answer.ServeHTTP(w, r)
		})
	}
}

// Hang holds requests to an endpoint until resume is called, the caller gives up or the double closes; then
// they are answered. arrived receives once for each request that is held, as far as its buffer of 100 allows.
func (f *Faults) Hang(endpoint Endpoint) (arrived <-chan struct{}, resume func()) {
	arrivals, resumed := make(chan struct{}, 100), make(chan struct{})
	f.Break(endpoint, func(answer http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case arrivals <- struct{}{}:
			default:
			}
			select {
			case <-resumed:
				answer.ServeHTTP(w, r)
			case <-r.Context().Done():
			case <-f.released:
			}
		})
	})
	var once sync.Once
	return arrivals, func() {
		once.Do(func() { close(resumed) })
		f.Mend(endpoint)
	}
}
