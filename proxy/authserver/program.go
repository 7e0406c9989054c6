package authserver

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"vexa-sso/mapping"
	"vexa-sso/proxy"
)

// call is one request of a client.
type call struct {
	*proxy.Visit
	form   parameters
	client Client
}

// program returns the handler of an endpoint for programs. It takes a form by POST, of a registered client,
// and answers with JSON that is not cached (RFC 6749 section 5.1). There is no CORS: programs are no web
// pages, so no page may read the response.
func (s *Server) program(answer func(call) (any, error)) func(*proxy.Visit) error {
	return func(v *proxy.Visit) error {
		if err := allowMethods(v, http.MethodPost); err != nil {
			return err
		}
		c := call{Visit: v}
		body, err := s.answer(&c, answer)
		if err != nil {
			return s.refuseProgram(v, err)
		}
		v.WriteJSON(http.StatusOK, body)
		return nil
	}
}

func (s *Server) answer(c *call, answer func(call) (any, error)) (any, error) {
	if c.Request().Header.Get("Authorization") != "" {
		return nil, errPublicClient
	}
	var err error
	if c.form, err = readForm(c.Writer(), c.Request()); err != nil {
		return nil, err
	}
	if c.form.get("client_secret") != "" || c.form.get("client_assertion") != "" {
		return nil, errPublicClient
	}
	c.client, err = s.clients.Client(c.Request().Context(), c.form.get("client_id"))
	if errors.Is(err, ErrUnknownClient) {
		return nil, &oidc.Error{
			ErrorType: oidc.InvalidClient, Description: "client_id names no client that is registered here",
		}
	}
	if err != nil {
		return nil, err
	}
	if err := c.form.checkResources(s.public); err != nil {
		return nil, err
	}
	return answer(*c)
}

var errPublicClient = &oidc.Error{
	ErrorType: oidc.InvalidClient,
	Description: "clients of this server have no secret: send client_id in the form, and nothing else to " +
		"prove who you are",
}

// rateLimited is the error of a limiter, with the Retry-After.
type rateLimited struct{ wait time.Duration }

func (e *rateLimited) Error() string { return "asked too often" }

// refuseProgram answers with an error in JSON (RFC 6749 section 5.2).
func (s *Server) refuseProgram(v *proxy.Visit, err error) error {
	status, e, wait := s.refusal(v, err)
	h := v.Writer().Header()
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if status == http.StatusUnauthorized {
		// RFC 9110 requires one; RFC 6749 section 5.2 the scheme that the client used
		h.Set("WWW-Authenticate", `Basic realm="vexa-sso"`)
	}
	e.Description = proxy.Describable(e.Description)
	v.WriteJSON(status, e)
	return nil
}

// refusal returns the status, error and Retry-After for an error.
func (s *Server) refusal(v *proxy.Visit, err error) (status int, e *oidc.Error, wait time.Duration) {
	var refused *oidc.Error
	var often *rateLimited
	var m *mapping.Error
	var objection *mapping.Objection
	switch {
	case errors.As(err, &refused):
		told := *refused
		status = http.StatusBadRequest
		if told.ErrorType == oidc.InvalidClient {
			status = http.StatusUnauthorized
		}
		return status, &told, 0
	case errors.As(err, &often):
		return http.StatusTooManyRequests, &oidc.Error{
			ErrorType: oidc.SlowDown, Description: "too many requests from this address; wait a little",
		}, often.wait
	case errors.As(err, &objection):
		return http.StatusBadRequest, invalidGrant(objection.Error()), 0
	case errors.As(err, &m) && m.Code == mapping.CodeTooManyRefreshes:
		return http.StatusTooManyRequests, &oidc.Error{ErrorType: oidc.SlowDown, Description: m.Message},
			m.RetryAfter
	case errors.As(err, &m) && m.Code == mapping.CodePendingApproval:
		return http.StatusServiceUnavailable, unavailable(v, m.Message), retryPending
	case errors.As(err, &m) && m.RetryAfter == 0:
		return http.StatusBadRequest, invalidGrant(m.Message), 0 // the person has no access, or no longer has
	}
	s.log.LogAttrs(v.Request().Context(), slog.LevelWarn, "token endpoint request failed",
		slog.String("path", v.Request().URL.Path), slog.String("trace_id", v.TraceID()),
		slog.Any("error", err))
	if errors.As(err, &m) || errors.Is(err, mapping.ErrStoreUnavailable) {
		return http.StatusServiceUnavailable,
			unavailable(v, "we cannot look that up right now; try again in a moment"), retrySoon
	}
	return http.StatusInternalServerError,
		&oidc.Error{ErrorType: oidc.ServerError, Description: "something went wrong on our side"}, 0
}

const (
	retrySoon    = 5 * time.Second
	retryPending = time.Minute // an administrator has to decide; until then the person loses nothing
)

// unavailable returns the error that has a program come back later with the same value.
func unavailable(v *proxy.Visit, description string) *oidc.Error {
	e := &oidc.Error{ErrorType: "temporarily_unavailable", Description: description}
	if oidc.GrantType(v.Request().PostForm.Get("grant_type")) == oidc.GrantTypeDeviceCode {
		e.ErrorType = oidc.SlowDown // a device that polls gives up at any other error
	}
	return e
}

func invalidGrant(description string) *oidc.Error {
	return &oidc.Error{ErrorType: oidc.InvalidGrant, Description: description}
}
