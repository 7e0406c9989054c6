package vexa

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

var (
	// ErrUnavailable: no usable answer now (network, timeout, 5xx, too many requests). Try again later.
	ErrUnavailable = errors.New("no usable answer from Vexa")

	// ErrAdminToken: the Admin API refuses the configured admin token.
	ErrAdminToken = errors.New("the Admin API refuses the admin token")

	// ErrNotAdminAPI: something answers at the configured address, but not as a Vexa Admin API does.
	ErrNotAdminAPI = errors.New("what answers is not a Vexa Admin API")

	// ErrUserNotFound: the Admin API knows no such user.
	ErrUserNotFound = errors.New("no such Vexa user")

	// ErrRefused: the Admin API understood the call and would not do it (422).
	ErrRefused = errors.New("the Admin API refuses the request")

	// ErrEmail: the address cannot be a Vexa user's, or cannot be looked up there.
	ErrEmail = errors.New("not an address that Vexa can look up")

	// ErrKeyRefused: the gateway says that a key is not good. Before 0.12 it also says so when its own
	// authentication is down.
	ErrKeyRefused = errors.New("the gateway refuses the key")
)

// Error is a call to Vexa that failed. It matches one of the named errors, carries neither secrets nor
// addresses of people, and knows what the wire said.
type Error struct {
	Op         string        // what was being done: "mint token"
	Kind       error         // one of the named errors
	Status     int           // the HTTP status, 0 without an answer
	Detail     string        // Vexa's own words, cut short
	RetryAfter time.Duration // 0 when the answer named none
	Err        error         // the cause, without an answer

	sent bool // the request, or part of it, left this process
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Op, e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(" (%d", e.Status)
		if e.Detail != "" {
			text += fmt.Sprintf(" %q", e.Detail)
		}
		text += ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Uncertain says whether the call that failed with err may have been carried out all the same: the request
// was sent, and no answer says that nothing was done. Only then must the caller find out, rather than simply
// try again.
func Uncertain(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return err != nil
	}
	if !e.sent {
		return false
	}
	return e.Status < http.StatusMultipleChoices || e.Status >= http.StatusInternalServerError
}
