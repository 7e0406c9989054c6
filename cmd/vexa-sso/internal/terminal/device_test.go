package terminal

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vexa-sso/oidc/oidctest"
)

// direct answers requests without a network, so that time can be a test's own.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	r.RequestURI = r.URL.RequestURI()
	d.ServeHTTP(w, r)
	if w.Code == 0 || w.Header().Get("Broken") != "" {
		return nil, errors.New("connection reset")
	}
	return w.Result(), nil
}

// device signs in with a code, and returns how long it took and what was shown.
func device(t *testing.T, d *double) (grant, string, time.Duration, error) {
	t.Helper()
	client := &http.Client{Transport: direct{d}}
	d.origin = "https://vexa.acme.example"
	server, err := discover(t.Context(), client, d.origin)
	must(t, err)
	seen, began := &oidctest.LogBook{}, time.Now()
	p := &Terminal{Err: seen}
	g, err := server.byDevice(t.Context(), p.tell, []string{"tx"}, time.Now)
	return g, seen.String(), time.Since(began), err
}

// The server says how often it may be asked (RFC 8628, section 3.5).
func TestDeviceIsPatient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := unbound()
		d.pending = 3
		g, seen, took, err := device(t, d)
		must(t, err)
		if g.Access != "canary-access-1" || took != 20*time.Second {
			t.Errorf("took %s", took)
		}
		for _, shown := range []string{
			"https://vexa.acme.example/sso/device ", "WDJB-MJHT", "user_code=WDJB-MJHT",
		} {
			if !strings.Contains(seen, shown) {
				t.Errorf("the person saw %q, and not %q", seen, shown)
			}
		}
		if strings.Contains(seen, "canary") {
			t.Errorf("the person saw a secret: %q", seen)
		}
	})
}

func TestDeviceSlowsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, polls := unbound(), 0
		d.instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/sso/oauth/token" {
				polls++
			}
			if r.URL.Path != "/sso/oauth/token" || polls > 2 {
				return false
			}
			reply(w, http.StatusBadRequest, map[string]any{"error": "slow_down"})
			return true
		}
		if _, _, took, err := device(t, d); err != nil || took != (5+10+15)*time.Second {
			t.Errorf("took %s, %v", took, err)
		}
	})
}

// A server that is away for a moment, or restarts, does not end a sign-in that a person is in the middle of.
func TestDeviceBearsAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, polls := unbound(), 0
		d.instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/sso/oauth/token" {
				return false
			}
			polls++
			switch polls {
			case 1:
				w.Header().Set("Broken", "yes")
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return polls < 3
		}
		if g, _, _, err := device(t, d); err != nil || g.Access == "" {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestDeviceEnds(t *testing.T) {
	t.Parallel()
	for code, words := range map[string]string{
		"access_denied": "declined", "expired_token": "in time", "invalid_grant": "try again",
		"unauthorized_client": "unauthorized_client",
	} {
		synctest.Test(t, func(t *testing.T) {
			d := unbound()
			d.instead = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/sso/oauth/token" {
					return false
				}
				reply(w, http.StatusBadRequest, map[string]any{
					"error": code, "error_description": "canary-device-" + strings.Repeat("x", 30),
				})
				return true
			}
			_, _, _, err := device(t, d)
			refused(t, err, words)
		})
	}
	for lifetime, longest := range map[int]time.Duration{600: 10 * time.Minute, 86400: 30 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			d := answering(func(m map[string]any) { m["expires_in"] = lifetime })
			d.pending = 1 << 30
			_, _, took, err := device(t, d)
			refused(t, err, "nobody confirmed the code in time")
			if took != longest {
				t.Errorf("waited for %s", took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		d := unbound()
		d.pending = 1 << 30
		d.origin = "https://vexa.acme.example"
		server, err := discover(t.Context(), &http.Client{Transport: direct{d}}, d.origin)
		must(t, err)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 7*time.Second, nil)
		defer cancel()
		ctx, interrupt := context.WithCancel(ctx)
		time.AfterFunc(6*time.Second, interrupt)
		_, err = server.byDevice(ctx, (&Terminal{Err: &oidctest.LogBook{}}).tell, nil, time.Now)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Ctrl-C ended it with %v", err)
		}
	})
}

// F5: a code is never asked to be entered anywhere else, and what a server says can neither steer
// the terminal nor crash us.
func TestHostileDeviceAnswers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(m map[string]any){
		"page elsewhere": func(m map[string]any) { m["verification_uri"] = "https://evil.example/device" },
		"complete page elsewhere": func(m map[string]any) {
			m["verification_uri_complete"] = "https://vexa.acme.example.evil.example/"
		},
		"no page":            func(m map[string]any) { delete(m, "verification_uri") },
		"no user code":       func(m map[string]any) { delete(m, "user_code") },
		"no device code":     func(m map[string]any) { delete(m, "device_code") },
		"a code that steers": func(m map[string]any) { m["user_code"] = "\x1b[2JWDJB" },
		"a page that steers": func(m map[string]any) {
			m["verification_uri"] = "https://vexa.acme.example/\x1b[2J"
		},
		"a code without end": func(m map[string]any) { m["user_code"] = strings.Repeat("W", 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, seen, _, err := device(t, answering(change))
				refused(t, err)
				if seen != "" || strings.ContainsRune(err.Error(), 0x1b) {
					t.Errorf("the person saw %q and %q", seen, err)
				}
			})
		})
	}
	for name, change := range map[string]func(m map[string]any){
		"backwards":  func(m map[string]any) { m["interval"] = -5 },
		"never":      func(m map[string]any) { m["interval"] = 1 << 40 },
		"for ever":   func(m map[string]any) { m["expires_in"] = 1 << 40 },
		"no expiry":  func(m map[string]any) { delete(m, "expires_in") },
		"no pauses":  func(m map[string]any) { delete(m, "interval") },
		"no comfort": func(m map[string]any) { delete(m, "verification_uri_complete") },
	} {
		synctest.Test(t, func(t *testing.T) {
			_, _, took, err := device(t, answering(change))
			if err != nil || took > time.Minute || took < 5*time.Second {
				t.Errorf("%s: %s, %v", name, took, err)
			}
		})
	}
}

// answering is a double whose answer to a device is changed.
func answering(change func(m map[string]any)) *double {
	d := unbound()
	d.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/sso/oauth/device_authorization" {
			return false
		}
		m := map[string]any{
			"device_code": "canary-device", "user_code": "WDJB-MJHT",
			"verification_uri":          "https://vexa.acme.example/sso/device",
			"verification_uri_complete": "https://vexa.acme.example/sso/device?user_code=WDJB-MJHT",
			"expires_in":                600, "interval": 5,
		}
		change(m)
		reply(w, http.StatusOK, m)
		return true
	}
	return d
}
