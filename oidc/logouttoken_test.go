package oidc

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Beyond the modules of the conformance plan: what else a logout token may and may not be.
func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	h := newHostile(t, Config{})
	now := h.idp.clock.Now()
	subject := "oidc:" + h.idp.URL + "#ada"
	for name, test := range map[string]struct {
		token string
		want  *LogoutToken // nil: refused
	}{
		"as it should be": {
			h.logoutToken(nil, nil), &LogoutToken{Subject: subject, SID: "sid-1", JTI: "jti-1"},
		},
		"typ logout+jwt": {
			h.logoutToken(nil, map[string]any{"typ": "logout+jwt"}),
			&LogoutToken{Subject: subject, SID: "sid-1", JTI: "jti-1"},
		},
		"a session alone": {
			h.logoutToken(map[string]any{"sub": nil}, nil), &LogoutToken{SID: "sid-1", JTI: "jti-1"},
		},
		"a person alone": {
			h.logoutToken(map[string]any{"sid": nil}, nil), &LogoutToken{Subject: subject, JTI: "jti-1"},
		},
		"exp 59 s ago": {
			h.logoutToken(map[string]any{"exp": now.Add(-59 * time.Second).Unix()}, nil),
			&LogoutToken{Subject: subject, SID: "sid-1", JTI: "jti-1"},
		},
		"nobody":          {h.logoutToken(map[string]any{"sub": nil, "sid": nil}, nil), nil},
		"typ of an event": {h.logoutToken(nil, map[string]any{"typ": "secevent+jwt"}), nil},
		"an access token": {h.logoutToken(nil, map[string]any{"typ": "at+jwt"}), nil},
		"no jti":          {h.logoutToken(map[string]any{"jti": nil}, nil), nil},
		"a long jti":      {h.logoutToken(map[string]any{"jti": strings.Repeat("j", 256)}, nil), nil},
		"a long sid":      {h.logoutToken(map[string]any{"sid": strings.Repeat("s", 256)}, nil), nil},
		"no iat":          {h.logoutToken(map[string]any{"iat": nil}, nil), nil},
		"from tomorrow":   {h.logoutToken(map[string]any{"iat": now.Add(24 * time.Hour).Unix()}, nil), nil},
		"no exp":          {h.logoutToken(map[string]any{"exp": nil}, nil), nil},
		"expired": {
			h.logoutToken(map[string]any{"exp": now.Add(-61 * time.Second).Unix()}, nil), nil,
		},
		"good for ever": {h.logoutToken(map[string]any{"exp": now.Add(25 * time.Hour).Unix()}, nil), nil},
		"nonce null":    {h.logoutToken(map[string]any{"nonce": json.RawMessage("null")}, nil), nil},
		"event no object": {
			h.logoutToken(map[string]any{"events": map[string]any{logoutEvent: true}}, nil), nil,
		},
		"events in a list": {h.logoutToken(map[string]any{"events": []string{logoutEvent}}, nil), nil},
		"events as EVENTS": {h.logoutToken(
			map[string]any{"events": nil, "EVENTS": map[string]any{logoutEvent: map[string]any{}}}, nil,
		), nil},
		"an ID token":       {h.idp.signer.sign(h.claims, nil), nil},
		"another's key":     {newSigner(1, "kid-0").sign(h.logoutClaims(nil), nil), nil},
		"nothing":           {"", nil},
		"too long":          {strings.Repeat("a", maxLogoutToken) + ".b.c", nil},
		"nearly JSON":       {`{"iss":"."."}`, nil},
		"a sub of ours: no": {h.logoutToken(map[string]any{"sub": "a\nb", "sid": nil}, nil), nil},
	} {
		got, err := h.p.VerifyLogoutToken(t.Context(), test.token)
		if test.want == nil {
			if err == nil {
				t.Errorf("%s: taken as %+v", name, got)
			} else {
				refused(t, err, CodeSignInInvalid)
			}
			continue
		}
		if err != nil || got.Subject != test.want.Subject || got.SID != test.want.SID ||
			got.JTI != test.want.JTI {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if !got.ExpiresAt.After(now) { // as long as it is taken it can be replayed
			t.Errorf("%s: may be forgotten at %v", name, got.ExpiresAt)
		}
	}
	h = newHostile(t, Config{})
	h.idp.answer("keys", status(503, ""))
	_, err := h.p.VerifyLogoutToken(t.Context(), h.logoutToken(nil, nil))
	refused(t, err, CodeProviderUnavailable)
}
