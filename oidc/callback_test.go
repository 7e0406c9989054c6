package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCallbacks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(f *idp, a *Attempt, q url.Values)
		code   string
	}{
		"as it should be": {change: func(*idp, *Attempt, url.Values) {}},
		"unknown parameters": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q["foo"] = []string{"1", "2"}
			q.Set("session_state", "x")
		}},
		"another state": {
			change: func(_ *idp, _ *Attempt, q url.Values) { q.Set("state", "x") }, code: CodeSignInInvalid,
		},
		"no state": {
			change: func(_ *idp, _ *Attempt, q url.Values) { q.Del("state") }, code: CodeSignInInvalid,
		},
		"no state, attempt neither": {
			change: func(_ *idp, a *Attempt, q url.Values) { q.Del("state"); a.State = "" },
			code:   CodeSignInInvalid,
		},
		"attempt without verifier": {
			change: func(_ *idp, a *Attempt, _ url.Values) { a.Verifier = "" }, code: CodeSignInInvalid,
		},
		"attempt without nonce": {
			change: func(_ *idp, a *Attempt, _ url.Values) { a.Nonce = "" }, code: CodeSignInInvalid,
		},
		"attempt elsewhere": {
			change: func(_ *idp, a *Attempt, _ url.Values) { a.Provider = "entra" }, code: CodeSignInInvalid,
		}, // C12
		"zero attempt": {
			change: func(_ *idp, a *Attempt, q url.Values) { *a = Attempt{}; q.Set("state", "") },
			code:   CodeSignInInvalid,
		},
		"attempt of an hour ago": {change: func(f *idp, _ *Attempt, _ url.Values) {
			f.clock.Advance(time.Hour + time.Second)
		}, code: CodeSignInInvalid},
		"no code": {
			change: func(_ *idp, _ *Attempt, q url.Values) { q.Del("code") }, code: CodeSignInInvalid,
		},
		"two states": {change: func(_ *idp, a *Attempt, q url.Values) {
			q["state"] = []string{a.State, "x"}
		}, code: CodeSignInInvalid}, // C9
		"the same state twice": {change: func(_ *idp, a *Attempt, q url.Values) {
			q["state"] = []string{a.State, a.State}
		}, code: CodeSignInInvalid}, // C9
		"two codes": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q["code"] = []string{"a", "b"}
		}, code: CodeSignInInvalid}, // C9
		"two issuers": {change: func(f *idp, _ *Attempt, q url.Values) {
			q["iss"] = []string{f.URL, f.URL}
		}, code: CodeSignInInvalid}, // C9
		"two errors": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q["error"] = []string{"a", "b"}
		}, code: CodeSignInInvalid}, // C9
		"issuer": {change: func(f *idp, _ *Attempt, q url.Values) {
			q.Set("iss", f.document["issuer"].(string))
		}}, // C12
		"another issuer": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("iss", "https://evil.example")
		}, code: CodeSignInInvalid}, // C12
		"empty issuer": {
			change: func(_ *idp, _ *Attempt, q url.Values) { q.Set("iss", "") }, code: CodeSignInInvalid,
		}, // C12
		"another issuer's error": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("iss", "https://evil.example")
			q.Set("error", "access_denied")
		}, code: CodeSignInInvalid},
		"issuer promised": {change: func(f *idp, _ *Attempt, q url.Values) {
			f.document["authorization_response_iss_parameter_supported"] = true
			q.Set("iss", f.document["issuer"].(string))
		}},
		"issuer promised, missing": {change: func(f *idp, _ *Attempt, _ url.Values) {
			f.document["authorization_response_iss_parameter_supported"] = true
		}, code: CodeSignInInvalid},
		"huge code": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("code", strings.Repeat("c", 1<<20))
		}, code: CodeSignInInvalid},
		"long code": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("code", strings.Repeat("c", 2<<10))
		}},
		"huge unknown": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("x", strings.Repeat("c", 1<<20))
		}, code: CodeSignInInvalid},
		"many parameters": {change: func(_ *idp, _ *Attempt, q url.Values) {
			for n := range 1000 {
				q.Set(fmt.Sprint("p", n), "")
			}
		}, code: CodeSignInInvalid},
		"code beside an error": {change: func(_ *idp, _ *Attempt, q url.Values) {
			q.Set("error", "access_denied")
		}, code: CodeSignInRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			a := Attempt{
				Provider: "sim", State: "the-state", Nonce: "the-nonce", Verifier: strings.Repeat("v", 43),
				IssuedAt: f.clock.Now(),
			}
			f.gives(f.signer.sign(but(f.oktaClaims(), map[string]any{"nonce": a.Nonce}), nil))
			q := url.Values{"state": {a.State}, "code": {"c"}}
			test.change(f, &a, q)
			_, err := p.Finish(t.Context(), a, q)
			if test.code == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if got := f.asked.PostForm.Get("code_verifier"); got != a.Verifier {
					t.Errorf("code_verifier %q", got)
				}
				return
			}
			refused(t, err, test.code)
			if f.count("token") != 0 {
				t.Error("the code was redeemed")
			}
		})
	}
}

// C8, C12: two providers are configured; what belongs to one never reaches the other.
func TestMixUp(t *testing.T) {
	t.Parallel()
	honest, evil := newIDP(t), newIDP(t)
	one := honest.okta(t, Config{Name: "one"})
	other := evil.okta(t, Config{Name: "other"})
	a, _ := begin(t, one, BeginOptions{})
	_, err := other.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"honest-code"}})
	refused(t, err, CodeSignInInvalid)
	if evil.count("token") != 0 {
		t.Error("a code of one provider was shown to another")
	}
}

// A callback that is repeated is the provider's to refuse: the code is redeemed once.
func TestCodeReplay(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.answer("token", status(400,
		`{"error":"invalid_grant","error_description":"The authorization code is invalid or has expired."}`))
	_, err := f.signIn(t, p, f.oktaClaims())
	if e := refused(t, err, CodeSignInInvalid); e.Message != sayStale {
		t.Errorf("the person is told %q", e.Message)
	}
	if n := f.count("token"); n != 2 {
		t.Errorf("%d token requests for two callbacks", n)
	}
}

// What the provider, or an attacker in its name, writes into an error reaches the log only: quoted, cut, and
// never before state has matched.
func TestErrorDescriptionIsStrangersText(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	text := "<script>alert(1)</script>\r\nlevel=error forged\x1b[2J\u202e" + strings.Repeat("A", 10_000)
	a, _ := begin(t, p, BeginOptions{})

	_, err := p.Finish(t.Context(), a,
		url.Values{"state": {"forged"}, "error": {"access_denied"}, "error_description": {text}})
	if e := refused(t, err, CodeSignInInvalid); strings.Contains(e.Error()+e.Message+e.Remedy, "script") {
		t.Errorf("text of a callback whose state is forged got through: %v", e)
	}

	_, err = p.Finish(t.Context(), a,
		url.Values{"state": {a.State}, "error": {"access_denied"}, "error_description": {text}})
	e := refused(t, err, CodeSignInRefused)
	if strings.Contains(e.Message+e.Remedy, "script") {
		t.Errorf("the provider's text is in %q or %q", e.Message, e.Remedy)
	}
	if s := e.Error() + e.Message; len(s) > 1000 || strings.ContainsAny(s, "\r\n\x1b\u202e") ||
		!strings.Contains(s, "script") {
		t.Errorf("the log gets %q", s)
	}
}

func TestErrorCallbacks(t *testing.T) {
	t.Parallel()
	const okta, entra = TypeOkta, TypeEntra
	tests := []struct {
		provider, callback, code, says string
	}{
		{okta, "error=access_denied&error_description=The+resource+owner+or+authorization+server+denied+the+request.", CodeSignInRefused, sayRefused},
		{
			okta, "error=access_denied&error_description=User+is+not+assigned+to+the+client+application.",
			CodeSignInRefused, sayNotAssigned,
		},
		{okta, "error=access_denied&error_description=Policy+evaluation+failed+for+this+request,+please+check+the+policy+configurations.", CodeSignInRefused, sayPolicy},
		{okta, "error=login_required&error_description=The+client+specified+not+to+prompt,+but+the+user+is+not+logged+in.", CodeLoginRequired, sayAgain},
		{
			okta, "error=consent_required&error_description=The+following+scopes+require+user+consent:+[x].",
			CodeLoginRequired, sayAgain,
		},
		{okta, "error=invalid_scope&error_description=One+or+more+scopes+are+not+configured+for+the+authorization+server+resource.", CodeProviderMisset, sayMisconfigured},
		{okta, "error=server_error&error_description=The+groups+claim+matched+too+many+groups+and+must+be+configured+to+match+fewer+groups.", CodeGroupsTooMany, "You are in more groups"},
		{
			okta,
			"error=invalid_request&error_description=PKCE+code+challenge+is+required+by+the+application.",
			CodeProviderMisset, sayMisconfigured,
		},
		{okta, "error=unsupported_response_type", CodeProviderMisset, sayMisconfigured},
		{okta, "error=unauthorized_client", CodeProviderMisset, sayMisconfigured},
		{okta, "error=temporarily_unavailable", CodeProviderUnavailable, sayUnavailable},
		{okta, "error=server_error", CodeProviderUnavailable, sayUnavailable},
		{okta, "error=something_new", CodeSignInRefused, sayRefused},
		{okta, "error=", CodeSignInRefused, sayRefused},
		// not Okta's language
		{okta, "error=access_denied&error_description=AADSTS50020", CodeSignInRefused, sayRefused},

		{entra, "error=access_denied&error_subcode=cancel", CodeSignInRefused, sayCancelled},
		{
			entra, "error=access_denied&error_description=AADSTS65004:+User+declined+to+consent.",
			CodeSignInRefused, sayCancelled,
		},
		{
			entra, "error=access_denied&error_subcode=cancel&error_description=AADSTS90094:+Admin+consent",
			CodeSignInRefused, "Your administrator has to approve",
		},
		{
			entra,
			"error=login_required&error_description=AADSTS50058:+Session+information+is+not+sufficient",
			CodeLoginRequired, sayAgain,
		},
		{
			entra, "error=interaction_required&error_description=AADSTS50076:+Due+to+a+configuration+change",
			CodeLoginRequired, sayAgain,
		},
		{
			entra,
			"error=interaction_required&error_description=AADSTS16000:+Either+multiple+user+identities",
			CodeLoginRequired, sayAgain,
		},
		{entra, "error=interaction_required&error_description=AADSTS50072", CodeLoginRequired, sayAgain},
		{entra, "error=consent_required&error_description=AADSTS65001:+The+user+or+administrator+has+not+consented", CodeLoginRequired, sayAgain},
		{
			entra, "error=access_denied&error_description=AADSTS50105:+not+assigned",
			CodeSignInRefused, sayNotAssigned,
		},
		{entra, "error=interaction_required&error_description=AADSTS53003:+Access+has+been+blocked+by+Conditional+Access", CodeSignInRefused, sayPolicy},
		{entra, "error=invalid_scope&error_description=AADSTS70011:+The+provided+value+for+the+input+parameter+'scope'", CodeProviderMisset, sayMisconfigured},
		{entra, "error=invalid_client&error_description=AADSTS650053:+The+application+asked+for+scope+'x'+that+doesn't+exist", CodeProviderMisset, sayMisconfigured},
		{
			entra, "error=unsupported_response_type&error_description=AADSTS700054",
			CodeProviderMisset, sayMisconfigured,
		},
		{entra, "error=invalid_target&error_description=AADSTS9010010", CodeProviderMisset, sayMisconfigured},
		{
			entra, "error=temporarily_unavailable&error_description=AADSTS90033",
			CodeProviderUnavailable, sayUnavailable,
		},
		{
			entra, "error=server_error&error_description=AADSTS90033:+A+transient+error",
			CodeProviderUnavailable, sayUnavailable,
		},
		{
			entra, "error=access_denied&error_description=AADSTS50020:+User+account+from+identity+provider",
			CodeTenantRefused, "This account belongs to another",
		},
	}
	for _, test := range tests {
		t.Run(test.provider+" "+test.callback, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			var p *Provider
			if test.provider == okta {
				p = f.okta(t, Config{})
			} else {
				p = f.entra(t, Config{})
			}
			a, _ := begin(t, p, BeginOptions{})
			q, err := url.ParseQuery(test.callback)
			if err != nil {
				t.Fatal(err)
			}
			q.Set("state", a.State)
			_, err = p.Finish(t.Context(), a, q)
			if e := refused(t, err, test.code); !strings.HasPrefix(e.Message, test.says) {
				t.Errorf("the person is told %q, want %q", e.Message, test.says)
			}
		})
	}
}

func TestTokenEndpointErrors(t *testing.T) {
	t.Parallel()
	const okta, entra = TypeOkta, TypeEntra
	aad := func(code, number, more string) string {
		return fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%s: Words. Trace ID: 3c6f1b1e-8f11-4a52-9a31-5a0e7be20100","error_codes":[%s],"trace_id":"3c6f1b1e-8f11-4a52-9a31-5a0e7be20100"%s}`, code, number, number, more)
	}
	plain := func(code, text string) string {
		return fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, text)
	}
	tests := []struct {
		name, provider string
		status         int
		body           string
		code, says     string
	}{
		{
			"wrong secret", okta, 401,
			plain("invalid_client", "The client secret supplied for a confidential client is invalid."),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"unknown client", okta, 401, plain("invalid_client", "Invalid value for 'client_id' parameter."),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"no credentials", okta, 401, plain("invalid_client", "No client credentials found."),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"platform shape", okta, 401,
			`{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter."}`,
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"two credentials", okta, 401,
			plain("invalid_request", "Cannot supply multiple client credentials. Use one of the following"),
			CodeProviderMisset, sayMisconfigured,
		},
		{"code used", okta, 400, plain("invalid_grant",
			"The authorization code is invalid or has expired."), CodeSignInInvalid, sayStale},
		{
			"PKCE", okta, 400, plain("invalid_grant", "PKCE verification failed."),
			CodeSignInInvalid, sayInvalid,
		},
		{
			"redirect URI", okta, 400, plain("invalid_grant",
				"The 'redirect_uri' does not match the redirection URI used in the authorization request."),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"another client's", okta, 400, plain("invalid_grant", "The grant was issued to another client."),
			CodeSignInInvalid, sayInvalid,
		},
		{
			"grant type", okta, 400, plain("unauthorized_client",
				"The client is not authorized to use the provided grant type. Configured grant types: []."),
			CodeProviderMisset, sayMisconfigured,
		},
		{"unassigned", okta, 400, plain("access_denied",
			"User is not assigned to the client application."), CodeSignInRefused, sayNotAssigned},
		{
			"policy", okta, 401, plain("access_denied",
				"Policy evaluation failed for this request, please check the policy configurations."),
			CodeSignInRefused, sayPolicy,
		},
		{
			"groups", okta, 400, plain("server_error",
				"The groups claim matched too many groups and must be configured to match fewer groups."),
			CodeGroupsTooMany, "You are in more groups",
		},
		{"throttled", okta, 429, `{"errorCode":"E0000047","errorSummary":"You exceeded the maximum number of requests. Try again in a while."}`, CodeProviderUnavailable, sayUnavailable},
		{
			"throttled as invalid_grant", okta, 429,
			plain("invalid_grant", "API call exceeded rate limit due to too many requests."),
			CodeProviderUnavailable, sayUnavailable,
		},
		{"down", okta, 503, "<html>", CodeProviderUnavailable, sayUnavailable},
		{"nonsense", okta, 400, "<html>", CodeProviderUnavailable, sayUnavailable},
		{"redirect", okta, 302, "", CodeProviderUnavailable, sayUnavailable},
		{"not JSON", okta, 200, "<html>", CodeProviderUnavailable, sayUnavailable},
		{"no access token", okta, 200, `{}`, CodeProviderUnavailable, sayUnavailable},
		{"no ID token", okta, 200, `{"access_token":"x"}`, CodeProviderMisset, sayMisconfigured},
		{
			"ID token no string", okta, 200, `{"access_token":"x","id_token":7}`,
			CodeProviderMisset, sayMisconfigured,
		},
		{"error with 200", okta, 200, plain("invalid_grant", "x"), CodeSignInInvalid, sayStale},

		{
			"wrong secret", entra, 401, aad("invalid_client", "7000215", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"expired secret", entra, 401, aad("invalid_client", "7000222", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"unknown client", entra, 400, aad("unauthorized_client", "700016", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"no credentials", entra, 401, aad("invalid_client", "7000218", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{
			"public client", entra, 401, aad("invalid_client", "700025", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{"code expired", entra, 400, aad("invalid_grant", "70008", ""), CodeSignInInvalid, sayStale},
		{"code used", entra, 400, aad("invalid_grant", "54005", ""), CodeSignInInvalid, sayStale},
		{"malformed", entra, 400, aad("invalid_request", "9002313", ""), CodeSignInInvalid, sayInvalid},
		{"PKCE", entra, 400, aad("invalid_grant", "501481", ""), CodeSignInInvalid, sayInvalid},
		{
			"redirect URI", entra, 400, aad("invalid_client", "500112", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{"another tenant's", entra, 400, aad("invalid_grant", "700005", ""), CodeSignInInvalid, sayInvalid},
		{
			"grant type", entra, 400, aad("unsupported_grant_type", "70003", ""),
			CodeProviderMisset, sayMisconfigured,
		},
		{"disabled", entra, 400, aad("invalid_grant", "50057", ""), CodeSignInRefused, sayDisabled},
		{"deleted", entra, 400, aad("invalid_grant", "50034", ""), CodeSignInRefused, sayDisabled},
		{"unassigned", entra, 400, aad("invalid_grant", "50105", ""), CodeSignInRefused, sayNotAssigned},
		{
			"MFA", entra, 400, aad("interaction_required", "50076", `,"suberror":"basic_action"`),
			CodeLoginRequired, sayAgain,
		},
		{
			"conditional access", entra, 400, aad("invalid_grant", "53003", `,"claims":"{}"`),
			CodeSignInRefused, sayPolicy,
		},
		{
			"consent", entra, 400, aad("invalid_grant", "99999", `,"suberror":"consent_required"`),
			CodeLoginRequired, sayAgain,
		},
		{
			"throttled", entra, 400, aad("temporarily_unavailable", "90055", ""),
			CodeProviderUnavailable, sayUnavailable,
		},
		{"loop", entra, 400, aad("invalid_grant", "50196", ""), CodeProviderUnavailable, sayUnavailable},
	}
	for _, test := range tests {
		t.Run(test.provider+" "+test.name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p, claims := f.okta, f.oktaClaims
			if test.provider == entra {
				p, claims = f.entra, f.entraClaims
			}
			f.answer("token", status(test.status, test.body))
			_, err := f.signIn(t, p(t, Config{}), claims())
			e := refused(t, err, test.code)
			if !strings.HasPrefix(e.Message, test.says) {
				t.Errorf("the person is told %q, want %q", e.Message, test.says)
			}
			if test.provider == entra &&
				!strings.Contains(e.Error(), "3c6f1b1e-8f11-4a52-9a31-5a0e7be20100") {
				t.Errorf("the trace id is missing from %v", e)
			}
			if n := f.count("token"); n != 1 {
				t.Errorf("%d token requests", n)
			}
		})
	}
}

func TestTokenEndpointSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{})
	f.answer("token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Rate-Limit-Reset", fmt.Sprint(f.clock.Now().Add(42*time.Second).Unix()))
		w.Header().Set("X-Okta-Request-Id", "req-id-1")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := f.signIn(t, p, f.oktaClaims())
	e := refused(t, err, CodeProviderUnavailable)
	if e.RetryAfter != 42*time.Second || !strings.Contains(e.Error(), "req-id-1") {
		t.Errorf("%v, retry after %v", e, e.RetryAfter)
	}
}

// S2, F3: whatever a provider echoes, no error has a secret of ours.
func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "client-secret-canary"
	f := newIDP(t)
	p := f.okta(t, Config{ClientSecret: secret})
	answers := map[string]http.HandlerFunc{
		"echoed in the description": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			_, password, _ := r.BasicAuth()
			status(400, fmt.Sprintf(`{"error":"invalid_grant","error_description":"bad %s %s %s"}`,
				r.PostForm.Get("code"), r.PostForm.Get("code_verifier"), password))(w, r)
		},
		"echoed in the code": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			status(400, fmt.Sprintf(`{"error":%q}`, r.PostForm.Get("code")))(w, r)
		},
		"tokens in a page": status(500, `<html>at-canary-5d1f rt-canary-77ab</html>`),
		"tokens in a broken page": status(200,
			`{"access_token":"at-canary-5d1f","refresh_token":"rt-canary-77ab"`),
		"tokens of a wrong type": status(200,
			`{"access_token":"at-canary-5d1f","refresh_token":{"rt-canary-77ab":1}}`),
		"tokens, but no ID token": status(200,
			`{"access_token":"at-canary-5d1f","refresh_token":"rt-canary-77ab"}`),
		"tokens, wrong ID token":   status(200, `{"access_token":"at-canary-5d1f","refresh_token":"rt-canary-77ab","id_token":"id-canary.id-canary.id-canary"}`),
		"the connection breaks":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"userinfo fails with them": nil,
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			f.answer("token", answer)
			f.answer("userinfo", func(w http.ResponseWriter, r *http.Request) {
				status(500, r.Header.Get("Authorization"))(w, r)
			})
			a, _ := begin(t, p, BeginOptions{})
			f.gives(f.signer.sign(but(f.oktaClaims(), map[string]any{"nonce": a.Nonce, "name": nil}), nil))
			_, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"code-canary-1"}})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			for text := range chain(e) {
				for _, canary := range []string{secret, "canary", a.Verifier, a.State, a.Nonce} {
					if strings.Contains(text, canary) {
						t.Errorf("%q holds %q", text, canary)
					}
				}
			}
		})
	}
}

// chain is every text that somebody who logs an error, or what it wraps, could print.
func chain(e *Error) map[string]bool {
	texts := map[string]bool{e.Message: true, e.Remedy: true}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		texts[fmt.Sprintf("%v %+v %#v", err, err, err)] = true
	}
	return texts
}
