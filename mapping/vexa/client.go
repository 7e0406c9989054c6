package vexa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where Vexa is.
type Config struct {
	GatewayURL string `yaml:"gateway_url"` // where requests are forwarded to
	// 0.12: a service of its own; 0.10: its own service, or the gateway
	AdminURL   string `yaml:"admin_url"`
	AdminToken string `yaml:"admin_token" secret:"true"`
	Generation string `yaml:"generation"` // auto (default) | 0.12 | 0.10
}

// ConfigError is one setting that cannot be used. Key is relative to Config's own.
type ConfigError struct{ Key, Message, Remedy string }

func (e *ConfigError) Error() string { return e.Key + ": " + e.Message + ": " + e.Remedy }

// Check returns a *ConfigError for each setting that cannot be used, joined; nil when there is none.
func (c Config) Check() error {
	var errs []error
	for _, at := range []struct{ key, value string }{
		{"gateway_url", c.GatewayURL}, {"admin_url", c.AdminURL},
	} {
		if !usableURL(at.value) {
			errs = append(errs, &ConfigError{
				at.key, "not an http or https address without query",
				"write it as http://host:port",
			})
		}
	}
	if !usableToken(c.AdminToken) {
		errs = append(errs, &ConfigError{
			"admin_token", "empty, or not plain ASCII without blanks",
			"set it to the ADMIN_API_TOKEN of the deployment",
		})
	}
	switch c.Generation {
	case "", "auto", Gen012, Gen010:
	default:
		errs = append(errs, &ConfigError{"generation", "unknown", "write auto, 0.12 or 0.10"})
	}
	return errors.Join(errs...)
}

func usableURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		u.RawQuery == "" && u.Fragment == ""
}

// usableToken refuses what Vexa answers with a 500 (non-ASCII) or a 403 that nobody understands (a trailing
// blank).
func usableToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

const (
	connectTimeout = 2 * time.Second
	callTimeout    = 5 * time.Second
	idleTimeout    = 4 * time.Second // uvicorn closes after 5 s; a request that meets the closing dies
	maxBody        = 4 << 20         // bytes of any answer
	maxDetail      = 200             // bytes of Vexa's words in an error
)

// Client calls one Vexa deployment. It is safe for concurrent use.
type Client struct {
	admin, gateway string // base URLs, without a trailing slash
	token          string
	configured     string // generation; empty: find out
	timeout        time.Duration
	http           *http.Client

	found atomic.Pointer[finding]
	probe sync.Mutex // one probing at a time
}

// New makes a client. The error joins a *ConfigError for each setting that cannot be used.
func New(cfg Config) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("vexa: %w", err)
	}
	configured := cfg.Generation
	if configured == "auto" {
		configured = ""
	}
	return &Client{
		admin:      strings.TrimRight(cfg.AdminURL, "/"),
		gateway:    strings.TrimRight(cfg.GatewayURL, "/"),
		token:      cfg.AdminToken,
		configured: configured,
		timeout:    callTimeout,
		http: &http.Client{
			// No Proxy: the admin token goes to the configured host and nowhere else, whatever the
			// environment says.
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
				TLSHandshakeTimeout: connectTimeout,
				IdleConnTimeout:     idleTimeout,
				MaxIdleConnsPerHost: 16,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close lets go of the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request to Vexa.
type call struct {
	op     string // for errors
	method string
	url    string
	body   any    // nil: none
	header string // the one header of ours that carries a secret …
	secret string // … and its value
	from   string // address of the client on whose behalf it is; empty: none
}

// answer is what came back: a status below 500 and at most maxBody bytes.
type answer struct {
	status int
	body   []byte
	retry  time.Duration
	shown  string // the secret that the call showed
}

// adminCall is a call to the Admin API. path is escaped.
func (c *Client) adminCall(op, method, path string, body any) call {
	return call{
		op: op, method: method, url: c.admin + path, body: body, header: "X-Admin-API-Key",
		secret: c.token,
	}
}

// do makes the call. Every request is built anew from our own values: nothing of a caller's ever travels
// along.
func (c *Client) do(ctx context.Context, what call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	fail := &Error{Op: what.op, Kind: ErrUnavailable}

	// Sent is what may have reached Vexa: from the moment that there is a connection to write on.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected.Store(true)
	}})
	req, err := what.request(ctx)
	if err != nil {
		fail.Err = err
		return answer{}, fail
	}
	resp, err := c.http.Do(req)
	fail.sent = connected.Load()
	if err != nil {
		fail.Err = cause(err)
		return answer{}, fail
	}
	defer resp.Body.Close()

	fail.Status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		fail.Err = cause(err)
		return answer{}, fail
	}
	if len(body) > maxBody {
		fail.Err = fmt.Errorf("an answer of more than %d bytes", maxBody)
		return answer{}, fail
	}
	got := answer{status: resp.StatusCode, body: body, retry: retryAfter(resp.Header), shown: what.secret}
	if got.status >= http.StatusInternalServerError || got.status == http.StatusTooManyRequests {
		fail.RetryAfter = got.retry
		fail.Detail = got.detail()
		return answer{}, fail
	}
	return got, nil
}

func (what call) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if what.body != nil {
		text, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, what.method, what.url, body)
	if err != nil {
		return nil, cause(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "vexa-sso")
	if what.header != "" {
		req.Header.Set(what.header, what.secret)
	}
	if what.from != "" {
		req.Header.Set("X-Forwarded-For", what.from)
	}
	return req, nil
}

// cause takes the URL off an error: it names people.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refusal is the error of an answer that no caller could use.
func (a answer) refusal(op string) *Error {
	e := &Error{Op: op, Status: a.status, Detail: a.detail(), RetryAfter: a.retry, sent: true}
	switch {
	case a.status == http.StatusForbidden:
		e.Kind = ErrAdminToken
	case a.status == http.StatusNotFound && e.Detail == "User not found":
		e.Kind = ErrUserNotFound
	case a.status == http.StatusUnprocessableEntity || a.status == http.StatusBadRequest:
		e.Kind = ErrRefused
	default:
		e.Kind = ErrNotAdminAPI
	}
	return e
}

// vexaKey is any Vexa API token.
var vexaKey = regexp.MustCompile(`vxa_[0-9A-Za-z_-]+`)

// detail returns the "detail" of a Vexa error when it is a sentence; lists of validation errors repeat what
// was sent. Whatever answers may repeat what it was shown: secrets are blotted out (S2).
func (a answer) detail() string {
	var said struct {
		Detail any `json:"detail"`
	}
	if json.Unmarshal(a.body, &said) != nil {
		return ""
	}
	text, _ := said.Detail.(string)
	if a.shown != "" {
		text = strings.ReplaceAll(text, a.shown, "[secret]")
	}
	text = vexaKey.ReplaceAllString(text, "[key]")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

// decode reads a good answer. One that does not parse was not given by an Admin API.
func (a answer) decode(op string, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		// Not the decoder's words: they may quote the answer, which may carry a secret.
		return &Error{
			Op: op, Kind: ErrNotAdminAPI, Status: a.status,
			Err: errors.New("the answer does not parse"), sent: true,
		}
	}
	return nil
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
