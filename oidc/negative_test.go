package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

const universalEndpoint = "https://vexa.acme.example/sso/logout/universal/sim"

// The list of negative tests that the facts about Okta and Entra end with, by its numbers. 6 to 8 for
// ID tokens and for bearer tokens; provisioning (20, 21) and what a session store has to do (15, 18)
// are shown where those are.
func TestNegative(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T){
		"01 another tenant's token with our person's address":          negative01,
		"02 iss of one tenant, tid of another":                         negative02,
		"03 a work token signed with the key of personal accounts":     negative03,
		"04 tid is not a GUID":                                         negative04,
		"05 a token of version 1":                                      negative05,
		"06 a token for another application, and one for Graph":        negative06,
		"07 an app-only token":                                         negative07,
		"08 an access token of Okta's org":                             negative08,
		"06 as bearer: for another application, and for Graph":         negative06Bearer,
		"07 as bearer: app-only, without roles and where people go":    negative07Bearer,
		"08 as bearer: of Okta's org":                                  negative08Bearer,
		"09 a token of another authorization server with the same kid": negative09,
		"10 no signature, the public key as a secret, unknown keys":    negative10,
		"11 a key that flaps":                                          negative11,
		"12 keys that can not be read":                                 negative12,
		"13 the callback":                                              negative13,
		"14 overage, and Graph fails":                                  negative14,
		"15 a refresh token that lost a race":                          negative15,
		"16 a refresh without a new token, and without an ID token":    negative16,
		"17 userinfo of somebody else":                                 negative17,
		"18 front-channel logout of another issuer":                    negative18,
		"19 Universal Logout":                                          negative19,
		"22 claims that are missing, or of another shape":              negative22,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func entraOf(t *testing.T, cfg Config) (*idp, *Provider) {
	t.Helper()
	f := newIDP(t)
	return f, f.entra(t, cfg)
}

func oktaOf(t *testing.T, cfg Config) (*idp, *Provider) {
	t.Helper()
	f := newIDP(t)
	return f, f.okta(t, cfg)
}

// refuses holds a sign-in with these claims to be refused.
func (f *idp) refuses(t *testing.T, p *Provider, claims map[string]any, code string) {
	t.Helper()
	_, err := f.signIn(t, p, claims)
	refused(t, err, code)
}

func negative01(t *testing.T) {
	f, p := entraOf(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA, tenantB}})
	ada := f.signedIn(t, p, f.entraClaims()).Identity
	eve := f.signedIn(t, p, but(f.entraClaims(), map[string]any{
		"iss": f.URL + "/" + tenantB + "/v2.0", "tid": tenantB,
		"oid": "91c0ffee-0000-4aaa-8bbb-ccccdddd0001", "xms_edov": nil,
	})).Identity
	if eve.Subject == ada.Subject || eve.Email != "" || eve.UnprovenEmail != ada.Email {
		t.Errorf("%+v beside %+v", eve, ada)
	}
	f, p = entraOf(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA}})
	f.refuses(t, p,
		but(f.entraClaims(), map[string]any{"iss": f.URL + "/" + tenantB + "/v2.0", "tid": tenantB}),
		CodeTenantRefused)
}

func negative02(t *testing.T) {
	f, p := entraOf(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA, tenantB}})
	f.refuses(t, p, but(f.entraClaims(), map[string]any{"tid": tenantB}), CodeSignInInvalid)
	f.refuses(t, p, but(f.entraClaims(), map[string]any{"iss": f.URL + "/" + tenantB + "/v2.0"}),
		CodeSignInInvalid)
}

func negative03(t *testing.T) {
	f, p := entraOf(t, Config{})
	f.signer = f.signer.with("issuer", f.URL+"/"+consumerTenant+"/v2.0")
	f.publish(f.signer)
	f.refuses(t, p, f.entraClaims(), CodeSignInInvalid)
}

func negative04(t *testing.T) {
	f, p := entraOf(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA}})
	for _, tid := range []string{"../" + tenantA, "", "{tenantid}", tenantA + "/"} {
		f.refuses(t, p, but(f.entraClaims(), map[string]any{"tid": tid, "iss": f.URL + "/" + tid + "/v2.0"}),
			CodeSignInInvalid)
	}
}

func negative05(t *testing.T) {
	f, p := entraOf(t, Config{})
	f.refuses(t, p,
		but(f.entraClaims(), map[string]any{"iss": "https://sts.windows.net/" + tenantA + "/", "ver": "1.0"}),
		CodeSignInInvalid)
}

func negative06(t *testing.T) {
	f, p := entraOf(t, Config{})
	f.refuses(t, p, but(f.entraClaims(), map[string]any{"aud": "8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432"}),
		CodeSignInInvalid)
	f.refuses(t, p, but(f.entraClaims(), map[string]any{"aud": oidctest.GraphAppID}), CodeSignInInvalid)
}

func negative07(t *testing.T) {
	f, p := entraOf(t, Config{})
	f.refuses(t, p, but(f.entraClaims(),
		map[string]any{"idtyp": "app", "sub": adaOID, "azp": "f00dcafe-1111-4222-8333-444455556666"}),
		CodeSignInInvalid)
}

func negative08(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.refuses(t, p, but(f.oktaClaims(),
		map[string]any{"iss": f.URL, "aud": f.URL, "sub": "ada.byron@acme.example", "uid": adaOkta}),
		CodeSignInInvalid)
}

// accessClaims are Ada's in a version 2 access token for us as the API.
func (f *idp) accessClaims() map[string]any {
	return but(f.entraClaims(), map[string]any{
		"aud": bearerAPI, "azp": "8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432", "azpacr": "0",
		"scp":   "Bridge.Read Bridge.Write",
		"email": nil, "xms_edov": nil, "login_hint": nil, "groups": nil, "roles": nil,
	})
}

const bearerAPI = "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"

// bears shows claims, signed, as an access token.
func (f *idp) bears(t *testing.T, p *Provider, claims, header map[string]any) (AccessToken, error) {
	t.Helper()
	return p.VerifyAccessToken(t.Context(), f.signer.sign(claims, header))
}

func negative06Bearer(t *testing.T) {
	f, p := entraOf(t, Config{API: API{Audiences: []string{bearerAPI}}})
	if _, err := f.bears(t, p, f.accessClaims(), nil); err != nil {
		t.Fatal(err)
	}
	for aud, words := range map[string]string{
		"8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432": "8b1e5f77", oidctest.GraphAppID: "Microsoft Graph",
		"https://graph.microsoft.com": "Microsoft Graph",
	} {
		_, err := f.bears(t, p, but(f.accessClaims(), map[string]any{"aud": aud}), nil)
		if e := refused(t, err, CodeTokenInvalid); !strings.Contains(e.Message, words) {
			t.Errorf("%s: %s", aud, e.Message)
		}
	}
	_, err := f.bears(t, p, f.accessClaims(), map[string]any{"nonce": "x"})
	refused(t, err, CodeTokenInvalid)
}

// That rules about people do not match a service is for the rules to show; here it is that it is one.
func negative07Bearer(t *testing.T) {
	f, p := entraOf(t, Config{API: API{Audiences: []string{bearerAPI}}})
	appOnly := but(f.accessClaims(),
		map[string]any{"scp": nil, "sub": adaOID, "name": nil, "preferred_username": nil})
	for _, roles := range []any{nil, []string{}, []string{" "}, "", 7, []any{7}} {
		_, err := f.bears(t, p, but(appOnly, map[string]any{"roles": roles}), nil)
		if e := refused(t, err, CodeTokenInvalid); !strings.Contains(e.Message, "no role") {
			t.Errorf("%v: %s", roles, e.Message)
		}
	}
	person, err := f.bears(t, p, f.accessClaims(), nil)
	if err != nil {
		t.Fatal(err)
	}
	program, err := f.bears(t, p, but(appOnly, map[string]any{"roles": []string{"Bridge.Sync"}}), nil)
	if err != nil || program.Identity.Kind != Service || program.Identity.Subject == person.Identity.Subject {
		t.Errorf("%+v beside %+v, %v", program, person, err)
	}
	for name, confused := range map[string]map[string]any{
		"app with scopes": but(appOnly,
			map[string]any{"roles": []string{"Bridge.Sync"}, "scp": "Bridge.Read"}),
		"app that is a user": but(appOnly,
			map[string]any{"roles": []string{"Bridge.Sync"}, "idtyp": "user"}),
		"user that is an app": but(f.accessClaims(), map[string]any{"idtyp": "app"}),
		"user without scopes": but(f.accessClaims(),
			map[string]any{"scp": nil, "roles": []string{"Bridge.Sync"}}),
	} {
		if _, err := f.bears(t, p, confused, nil); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			refused(t, err, CodeTokenInvalid)
		}
	}
}

func negative08Bearer(t *testing.T) {
	f, p := oktaOf(t, Config{API: API{Audiences: []string{"api://default", "https://acme.example"}}})
	good := but(f.oktaClaims(), map[string]any{
		"aud": "api://default", "cid": clientID, "uid": adaOkta, "sub": "ada.byron@acme.example",
		"scp": []string{"openid"}, "at_hash": nil,
	})
	if _, err := f.bears(t, p, good, nil); err != nil {
		t.Fatal(err)
	}
	before := f.count("keys")
	for _, iss := range []string{f.URL, f.URL + "/"} {
		_, err := f.bears(t, p, but(good, map[string]any{"iss": iss, "aud": f.URL}), nil)
		if e := refused(t, err, CodeTokenInvalid); !strings.Contains(e.Message, "Okta org") {
			t.Errorf("%s: %s", iss, e.Message)
		}
	}
	if n := f.count("keys"); n != before {
		t.Errorf("%d fetches of the keys", n-before)
	}
}

func negative09(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.refuses(t, p, but(f.oktaClaims(), map[string]any{"iss": f.URL + "/oauth2/aus1simAs6Df3Gh8J5d7"}),
		CodeSignInInvalid)
	f.signer = newSigner(1, f.signer.kid) // the other server's key, under our server's kid
	f.refuses(t, p, f.oktaClaims(), CodeSignInInvalid)
}

func negative10(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	for _, token := range []string{unsigned(t, f.oktaClaims()), hs256(t, f.signer, f.oktaClaims())} {
		a, _ := begin(t, p, BeginOptions{})
		f.gives(token)
		_, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}})
		refused(t, err, CodeSignInInvalid)
	}
	before := f.count("keys")
	for n := range 100 {
		f.signer = newSigner(1, fmt.Sprint("unknown-", n))
		f.refuses(t, p, f.oktaClaims(), CodeSignInInvalid)
	}
	if n := f.count("keys") - before; n > 1 {
		t.Errorf("100 forgeries caused %d fetches of the keys", n)
	}
}

func negative11(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.publish(newSigner(1, "another"))
	f.clock.Advance(2 * time.Hour)
	f.signedIn(t, p, f.oktaClaims()) // starts the refetch that lacks the key
	p.settle()
	f.signedIn(t, p, f.oktaClaims())
}

func negative12(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.signedIn(t, p, f.oktaClaims())
	f.answer("keys", status(http.StatusInternalServerError, ""))
	f.clock.Advance(12 * time.Hour)
	f.signedIn(t, p, f.oktaClaims())
	p.settle()

	f, p = oktaOf(t, Config{})
	f.answer("keys", status(http.StatusInternalServerError, ""))
	f.refuses(t, p, f.oktaClaims(), CodeProviderUnavailable)

	f, p = oktaOf(t, Config{})
	f.answer("keys", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		status(200, string(mustJSON(map[string]any{"keys": []any{f.signer.published()}})))(w, r)
	})
	for range 5 {
		f.signedIn(t, p, f.oktaClaims())
	}
	if n := f.count("keys"); n != 1 {
		t.Errorf("no-store caused %d fetches", n)
	}
}

func negative13(t *testing.T) {
	f, p := oktaOf(t, Config{})
	a, _ := begin(t, p, BeginOptions{})
	f.gives(f.signer.sign(but(f.oktaClaims(), map[string]any{"nonce": a.Nonce}), nil))
	for name, params := range map[string]url.Values{
		"no state":        {"code": {"c"}},
		"a foreign state": {"state": {"x"}, "code": {"c"}},
		"two states":      {"state": {a.State, a.State}, "code": {"c"}},
		"two codes":       {"state": {a.State}, "code": {"c", "d"}},
		"an error without the state": {
			"error":             {"access_denied"},
			"error_description": {"User is not assigned to the client application."},
		},
		"an error with another's": {
			"state": {"x"}, "error": {"access_denied"}, "error_description": {"User is not assigned"},
		},
		"iss of another (RFC 9207)":    {"state": {a.State}, "code": {"c"}, "iss": {"https://evil.example"}},
		"neither a code nor an error":  {"state": {a.State}},
		"a response that is too large": {"state": {a.State}, "code": {strings.Repeat("c", maxParam+1)}},
	} {
		if _, err := p.Finish(t.Context(), a, params); err == nil {
			t.Errorf("%s: signed in", name)
		} else {
			refused(t, err, CodeSignInInvalid)
		}
	}
	if n := f.count("token"); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	_, err := p.Finish(t.Context(), a, url.Values{
		"state": {a.State}, "error": {"access_denied"},
		"error_description": {"<script>alert(1)</script> User is not assigned\r\nlevel=info"},
	})
	if e := refused(t, err, CodeSignInRefused); strings.ContainsAny(e.Error()+e.Message, "\r\n") ||
		strings.Contains(e.Message+e.Remedy, "<script") {
		t.Errorf("a stranger writes %q", e.Error())
	}
	f.refuses(t, p, but(f.oktaClaims(), map[string]any{"nonce": "another"}), CodeSignInInvalid)
}

func negative14(t *testing.T) {
	f, p := graphAt(t, status(http.StatusInternalServerError, ""))
	id := f.signedIn(t, p, f.overage()).Identity
	if id.GroupsComplete || id.GroupsProblem == "" || len(id.Groups) > 0 {
		t.Errorf("%+v", id)
	}
	if n := f.count("getMemberObjects"); n != 1 { // at our Graph, and nothing at the address in the token
		t.Errorf("asked %d times", n)
	}
}

// Whoever comes second with a rotating token is told that it is dead; that nobody
// does is the lease's business.
func negative15(t *testing.T) {
	double := oidctest.StartOkta(t, oidctest.OktaOptions{})
	double.AddCast()
	double.AddClient(oidctest.Client{
		ID: clientID, Secrets: []string{"secret"}, RedirectURIs: []string{redirectURL}, RotateRefresh: true,
	})
	p := doubleProvider(t, Config{Type: TypeOkta, Issuer: double.Issuer(), ClientSecret: "secret"})
	was := walk(t, p, double.Double)
	first, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	refused(t, err, CodeGrantOver)
	_, err = p.Refresh(t.Context(), first.RefreshToken, was.Identity) // Okta has revoked the family
	refused(t, err, CodeGrantOver)
}

func doubleProvider(t *testing.T, cfg Config) *Provider {
	t.Helper()
	cfg.Name, cfg.ClientID, cfg.RedirectURL = "sim", clientID, redirectURL
	p, err := New(cfg, Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func walk(t *testing.T, p *Provider, double interface {
	SignIn(context.Context, string, string) (*oidctest.Callback, error)
},
) *SignIn {
	t.Helper()
	redirect, a, err := p.Begin(t.Context(), BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := double.SignIn(t.Context(), redirect, oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Finish(t.Context(), a, back.Params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func negative16(t *testing.T) {
	f, p := oktaOf(t, Config{Scopes: []string{"groups"}})
	was := f.signedIn(t, p, f.oktaClaims())
	f.change(func() {
		f.token["refresh_token"] = nil
		f.userinfo = map[string]any{
			"sub": adaOkta, "name": "Ada Byron", "email": "ada.byron@acme.example", "email_verified": true,
			"groups": []string{"vexa-users"},
		}
	})
	f.gives("")
	is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if is.RefreshToken != was.RefreshToken || is.Identity.Subject != was.Identity.Subject ||
		len(is.Identity.Groups) != 1 || is.Identity.Email != was.Identity.Email ||
		!is.AuthTime.Equal(was.AuthTime) {
		t.Errorf("%+v became %+v", was, is)
	}
	f.change(func() { f.userinfo["sub"] = "00uSomebodyElse" })
	_, err = p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	refused(t, err, CodeSignInInvalid)

	f, p = entraOf(t, Config{}) // whose userinfo says nothing of groups
	was = f.signedIn(t, p, f.entraClaims())
	f.gives("")
	_, err = p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	refused(t, err, CodeProviderMisset)
}

func negative17(t *testing.T) {
	f, p := oktaOf(t, Config{})
	f.userinfo = map[string]any{"sub": "00uSomebodyElse", "name": "Eve", "email": "eve@acme.example"}
	f.refuses(t, p, but(f.oktaClaims(), map[string]any{"name": nil}), CodeSignInInvalid)
}

func negative18(t *testing.T) {
	f, okta := oktaOf(t, Config{})
	_, entra := entraOf(t, Config{})
	for _, test := range []struct {
		p    *Provider
		iss  string
		want bool
	}{
		{okta, f.URL + "/oauth2/default", true},
		{okta, f.URL, true},
		{okta, f.URL + "/oauth2/other", false},
		{okta, "", false},
		{okta, "https://evil.example", false},
		{entra, entra.Issuer(), true},
		{entra, strings.Replace(entra.Issuer(), tenantA, tenantB, 1), false},
		{entra, f.URL, false},
	} {
		if got := test.p.MatchesIssuer(test.iss); got != test.want {
			t.Errorf("%s at %s: %v", test.iss, test.p.Issuer(), got)
		}
	}
}

func negative19(t *testing.T) {
	double := oidctest.StartOkta(t, oidctest.OktaOptions{})
	double.AddCast()
	double.AddClient(oidctest.Client{
		ID: clientID, Secrets: []string{"secret"}, RedirectURIs: []string{redirectURL},
	})
	p := doubleProvider(t, Config{Type: TypeOkta, Issuer: double.Issuer(), ClientSecret: "secret"})
	good := double.UniversalLogoutClaims(clientID, universalEndpoint)
	signed := func(c oidctest.Claims, options ...oidctest.SignOption) string {
		t.Helper()
		token, err := double.SignUniversalLogout(c, options...)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	jti, until, err := p.VerifyUniversalLogout(t.Context(), signed(good), universalEndpoint)
	if err != nil || jti != good["jti"] || !until.After(time.Now()) {
		t.Fatalf("%q until %v: %v", jti, until, err)
	}
	stranger, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, token := range map[string]string{
		"an ID token":      walk(t, p, double.Double).IDToken,
		"typ JWT":          signed(good, oidctest.Header("typ", "JWT")),
		"typ of an event":  signed(good, oidctest.Header("typ", "secevent+jwt")),
		"no typ":           signed(good, oidctest.Header("typ", nil)),
		"another endpoint": signed(good.With("aud", universalEndpoint+"2")),
		"another host": signed(good.With("aud",
			strings.Replace(universalEndpoint, "vexa", "evil", 1))),
		"our client as audience":  signed(good.With("aud", clientID)),
		"no audience":             signed(good.With("aud", nil)),
		"another application":     signed(good.With("sub", "0oaSomebodyElse")),
		"no application":          signed(good.With("sub", nil)),
		"no jti":                  signed(good.With("jti", nil)),
		"a long jti":              signed(good.With("jti", strings.Repeat("j", 256))),
		"no iat":                  signed(good.With("iat", nil)),
		"issued tomorrow":         signed(good.With("iat", now.Add(24*time.Hour).Unix())),
		"no exp":                  signed(good.With("exp", nil)),
		"expired":                 signed(good.With("exp", now.Add(-2*time.Minute).Unix())),
		"good for ever":           signed(good.With("exp", now.Add(10*365*24*time.Hour).Unix())),
		"another org":             signed(good.With("iss", "https://evil.okta.com")),
		"the server, not the org": signed(good.With("iss", double.Issuer())),
		"the server's key":        double.Sign(good, oidctest.Header("typ", universalLogoutType)),
		"a stranger's key":        oidctest.Sign(stranger, good, oidctest.Header("typ", universalLogoutType)),
		"unsigned": double.Sign(good, oidctest.Unsigned(),
			oidctest.Header("typ", universalLogoutType)),
		"the secret as key": double.Sign(good, oidctest.HMACWithSecret(strings.Repeat("secret", 6)),
			oidctest.Header("typ", universalLogoutType)),
		"nothing": "",
		"a novel": strings.Repeat("a.", 20_000),
	} {
		_, _, err := p.VerifyUniversalLogout(t.Context(), token, universalEndpoint)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else {
			refused(t, err, CodeSignInInvalid)
		}
	}

	// Whom it names: in our org, nobody else's.
	if got, ok := p.SubjectOf(double.OrgIssuer(), adaOkta); !ok ||
		got != "okta:"+double.OrgIssuer()+"/"+adaOkta {
		t.Errorf("%q, %v", got, ok)
	}
	for _, named := range [][2]string{
		{"https://evil.okta.com", adaOkta},
		{double.OrgIssuer(), ""},
		{double.OrgIssuer(), "../x"},
		{"", adaOkta},
	} {
		if got, ok := p.SubjectOf(named[0], named[1]); ok {
			t.Errorf("%q is %q", named, got)
		}
	}
	_, entra := entraOf(t, Config{})
	if got, ok := entra.SubjectOf(entra.Issuer(), "pairwise"); ok {
		t.Errorf("a pairwise sub is %q", got)
	}
	if _, _, err := entra.VerifyUniversalLogout(t.Context(), signed(good), universalEndpoint); err == nil {
		t.Error("Entra calls Universal Logout")
	}

	double.Break(oidctest.EndpointKeys, oidctest.Down())
	fresh := doubleProvider(t, Config{Type: TypeOkta, Issuer: double.Issuer(), ClientSecret: "secret"})
	_, _, err = fresh.VerifyUniversalLogout(t.Context(), signed(good), universalEndpoint)
	refused(t, err, CodeProviderUnavailable)
}

func negative22(t *testing.T) {
	f, p := entraOf(t, Config{})
	id := f.signedIn(t, p, but(f.entraClaims(), map[string]any{
		"email": nil, "xms_edov": nil, "name": nil, "groups": "0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e",
	})).Identity
	if id.Email != "" || id.Name != "" || len(id.Groups) != 1 || !id.GroupsComplete {
		t.Errorf("%+v", id)
	}
	id = f.signedIn(t, p, but(f.entraClaims(), map[string]any{"groups": map[string]any{"x": 1}})).Identity
	if id.GroupsComplete || len(id.Groups) != 0 {
		t.Errorf("%+v", id)
	}
}
