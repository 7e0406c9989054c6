package oidc_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

const (
	// as the client: one registration for sign-in and API, where they are hardest to tell apart
	apiID   = "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"
	tool    = "8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432"
	robot   = "f00dcafe-1111-4222-8333-444455556666"
	oktaBot = "0oa9simSvc2Qw4Er6t8y"
)

// world is a provider of each type, with the doubles behind them.
type world struct {
	okta      *oidctest.Okta
	entra     *oidctest.Entra
	plain     *oidctest.Plain
	providers map[string]*oidc.Provider // by type
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		okta: okta(t, oidctest.OktaOptions{}), entra: entra(t, oidctest.EntraOptions{}),
		plain: oidctest.StartPlain(t, oidctest.PlainOptions{}),
	}
	w.plain.AddCast()
	w.entra.AddClient(oidctest.Client{ID: robot, AppRoles: map[string][]string{apiID: {"Vexa.Sync"}}})
	w.entra.AddClient(oidctest.Client{ID: tool})
	w.entra.AddPerson(oidctest.Attacker(oidctest.Ada))
	w.providers = map[string]*oidc.Provider{
		oidc.TypeOkta: provider(t, oidc.Config{
			Type: oidc.TypeOkta, Issuer: w.okta.Issuer(), Scopes: []string{"groups"},
			API: oidc.API{Audiences: []string{"api://default"}, RequiredScope: "vexa"},
		}),
		oidc.TypeEntra: provider(t, oidc.Config{
			Type: oidc.TypeEntra, Cloud: w.entra.BaseURL(), Tenant: oidctest.TenantA,
			API: oidc.API{
				Audiences: []string{"api://" + apiID}, Issuers: []string{w.entra.IssuerV1Of("{tenantid}")},
				RequiredScope: "Vexa.Use", RequiredRole: "Vexa.Sync",
			},
		}),
		oidc.TypeOIDC: provider(t, oidc.Config{
			Type: oidc.TypeOIDC, Issuer: w.plain.Issuer(),
			API: oidc.API{Audiences: []string{"https://vexa.acme.example"}, RequiredScope: "vexa"},
		}),
	}
	return w
}

// kind is a kind of token that somebody may show.
type kind struct {
	of      string // the type of provider that takes it
	claims  oidctest.Claims
	sign    func(oidctest.Claims, ...oidctest.SignOption) string
	key     *oidctest.Key                           // that signs it
	twisted func(c oidctest.Claims) oidctest.Claims // neither a person's nor a program's
}

func (w *world) kinds(t *testing.T) map[string]kind {
	t.Helper()
	stranger, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	active := func(ring *oidctest.Keyring) *oidctest.Key {
		key, err := ring.Active()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	oktaKey, entraKey, plainKey := active(w.okta.Keys(w.okta.Issuer())), active(w.entra.Keys()),
		active(w.plain.Keys())
	_, org, err := oidctest.Decode(w.okta.OrgAccessToken(oidctest.Ada, tool, "openid", "vexa"))
	if err != nil {
		t.Fatal(err)
	}
	header, graph, err := oidctest.Decode(w.entra.GraphToken(oidctest.Ada, apiID))
	if err != nil {
		t.Fatal(err)
	}
	byStranger := func(c oidctest.Claims, o ...oidctest.SignOption) string {
		return oidctest.Sign(stranger, c, o...)
	}
	withNonce := func(c oidctest.Claims, o ...oidctest.SignOption) string {
		return w.entra.Sign(c,
			append([]oidctest.SignOption{oidctest.Header("nonce", header["nonce"])}, o...)...)
	}
	atJWT := func(c oidctest.Claims, o ...oidctest.SignOption) string {
		return w.plain.Sign(c, append([]oidctest.SignOption{oidctest.Header("typ", "at+jwt")}, o...)...)
	}
	with := func(name string, value any) func(oidctest.Claims) oidctest.Claims {
		return func(c oidctest.Claims) oidctest.Claims { return c.With(name, value) }
	}
	return map[string]kind{
		"okta person": {
			oidc.TypeOkta, w.okta.AccessTokenClaims(oidctest.Ada, tool, "openid", "vexa"), w.okta.Sign,
			oktaKey, with("uid", nil),
		},
		"okta service": {
			oidc.TypeOkta, w.okta.ServiceTokenClaims(oktaBot, "vexa"), w.okta.Sign, oktaKey,
			with("uid", "00u1sim4Rt8YxNa3e6f7"),
		},
		"okta org": {oidc.TypeOkta, org, byStranger, stranger, with("uid", nil)},
		"okta ID token": {
			oidc.TypeOkta, w.okta.IDTokenClaims(oidctest.Ada, apiID, "n"), w.okta.Sign,
			oktaKey, with("uid", nil),
		},
		"entra v1": {
			oidc.TypeEntra, w.entra.AccessTokenClaimsV1(oidctest.Ada, tool, apiID, "Vexa.Use"), w.entra.Sign,
			entraKey, with("idtyp", "app"),
		},
		"entra v2": {
			oidc.TypeEntra, w.entra.AccessTokenClaims(oidctest.Ada, tool, apiID, "Vexa.Use"), w.entra.Sign,
			entraKey, with("idtyp", "app"),
		},
		"entra v1 app": {
			oidc.TypeEntra, w.entra.ServiceTokenClaimsV1(robot, apiID), w.entra.Sign, entraKey,
			with("scp", "Vexa.Use"),
		},
		"entra v2 app": {
			oidc.TypeEntra, w.entra.ServiceTokenClaims(robot, apiID), w.entra.Sign, entraKey,
			with("scp", "Vexa.Use"),
		},
		"v1 no roles": {
			oidc.TypeEntra, w.entra.ServiceTokenClaimsV1(tool, apiID), w.entra.Sign, entraKey,
			with("scp", "Vexa.Use"),
		},
		"v2 no roles": {
			oidc.TypeEntra, w.entra.ServiceTokenClaims(tool, apiID), w.entra.Sign, entraKey,
			with("scp", "Vexa.Use"),
		},
		"entra Graph": {oidc.TypeEntra, graph, withNonce, entraKey, with("idtyp", "app")},
		"entra ID token": {
			oidc.TypeEntra, w.entra.IDTokenClaims(oidctest.Ada, apiID, "n"), w.entra.Sign,
			entraKey, with("idtyp", "app"),
		},
		"entra ID v1": {
			oidc.TypeEntra, w.entra.IDTokenClaimsV1(oidctest.Ada, apiID, "").With("nonce", nil), w.entra.Sign,
			entraKey, with("idtyp", "app"),
		},
		"plain person": {oidc.TypeOIDC, w.plain.AccessTokenClaims(
			oidctest.Ada, tool, "https://vexa.acme.example", "openid", "vexa",
		), atJWT, plainKey, with("sub", nil)},
		"plain service": {
			oidc.TypeOIDC, w.plain.ServiceTokenClaims(robot, "https://vexa.acme.example", "vexa"),
			w.plain.Sign, plainKey, with("email", oidctest.Ada),
		},
		"plain ID token": {
			oidc.TypeOIDC, w.plain.IDTokenClaims(oidctest.Ada, apiID, "").With("nonce", nil), w.plain.Sign,
			plainKey, with("sub", nil),
		},
	}
}

// spoilt makes the token that fails one check, and says who it is shown to.
func (w *world) spoilt(k kind, check string) (raw string, at []*oidc.Provider) {
	at = []*oidc.Provider{w.providers[k.of]}
	c := k.claims
	tenant := func(version1 bool, id string) string {
		if version1 {
			return w.entra.IssuerV1Of(id)
		}
		return w.entra.IssuerOf(id)
	}
	permission := func(name string, value any) string {
		if _, has := c[name]; !has {
			return ""
		}
		return k.sign(c.With(name, value))
	}
	switch check {
	case "as is":
		return k.sign(c), at
	case "audience":
		return k.sign(c.With("aud", "api://somebody-else")), at
	case "issuer":
		return k.sign(c.With("iss", "https://evil.example")), at
	case "tenant", "tid":
		if k.of != oidc.TypeEntra {
			return "", nil
		}
		c = c.With("tid", oidctest.TenantB)
		if check == "tenant" {
			c = c.With("iss", tenant(c["ver"] == "1.0", oidctest.TenantB))
		}
		return k.sign(c), at
	case "expiry":
		return k.sign(c.With("exp", time.Now().Add(-2*time.Minute).Unix())), at
	case "not before":
		return k.sign(c.With("nbf", time.Now().Add(2*time.Minute).Unix())), at
	case "scope":
		if raw := permission(
			"scp", map[bool]any{true: []string{"openid"}, false: "Other"}[k.of == oidc.TypeOkta],
		); raw != "" {
			return raw, at
		}
		return permission("scope", "openid"), at
	case "role":
		return permission("roles", []string{"Other"}), at
	case "kind":
		return k.sign(k.twisted(c)), at
	case "none":
		return k.sign(c, oidctest.Unsigned()), at
	case "HS256":
		return k.sign(c, oidctest.HMACWithPublicKey(k.key)), at
	case "key":
		options := []oidctest.SignOption{oidctest.KeyID(k.key.ID)}
		if header, _, _ := oidctest.Decode(k.sign(c)); header["nonce"] != nil {
			options = append(options, oidctest.Header("nonce", header["nonce"]))
		}
		another, _ := w.entra.MSAKeys().Active()
		return oidctest.Sign(another, c, options...), at
	case "type":
		return k.sign(c, oidctest.Header("typ", "logout+jwt")), at
	case "replay":
		others := maps.Clone(w.providers)
		delete(others, k.of)
		return k.sign(c), slices.Collect(maps.Values(others))
	}
	panic(check)
}

// What a cell of the matrix says: the code, and the words of the message that name the check.
var verdicts = map[string]struct{ code, words string }{
	"ok":   {},
	"aud":  {oidc.CodeTokenInvalid, `is for the audience "api://somebody-else"`},
	"iss":  {oidc.CodeTokenInvalid, "whose tokens are not taken here"},
	"ten":  {oidc.CodeTenantRefused, "Accounts of your organisation may not sign in here"},
	"tid":  {oidc.CodeTokenInvalid, "does not agree with its tenant or version"},
	"exp":  {oidc.CodeTokenExpired, "has expired"},
	"nbf":  {oidc.CodeTokenInvalid, "not valid yet"},
	"scp":  {oidc.CodeTokenInvalid, "does not have the scope"},
	"rol":  {oidc.CodeTokenInvalid, "does not have the role"},
	"none": {oidc.CodeTokenInvalid, "has no role here"},
	"who":  {oidc.CodeTokenInvalid, "whether it is a person's or a program's"},
	"alg":  {oidc.CodeTokenInvalid, "not signed in a way that is taken here"},
	"key":  {oidc.CodeTokenInvalid, "No key of its issuer has signed"},
	"typ":  {oidc.CodeTokenInvalid, "of another type"},
	"id":   {oidc.CodeTokenInvalid, "This is an ID token. An access token for the audience"},
	"org":  {oidc.CodeTokenInvalid, "of the Okta org itself"},
	"gra": {
		oidc.CodeTokenInvalid,
		"for Microsoft Graph, which alone can verify it. An access token for the audience",
	},
	"ms": {oidc.CodeTokenInvalid, "for an API of Microsoft's"},
}

// Token kind by check: what each cell must give; "-" where a kind has nothing that the check is about.
const matrix = `
               | as is audience issuer tenant tid expiry not-before scope role kind none HS256 key type replay
okta person    | ok    aud      iss    -      -   exp    nbf        scp   -    who  alg  alg   key typ  iss
okta service   | ok    aud      iss    -      -   exp    nbf        scp   -    who  alg  alg   key typ  iss
okta org       | org   org      iss    -      -   org    org        org   -    org  org  org   org org  iss
okta ID token  | id    id       iss    -      -   id     id         -     -    id   alg  alg   key typ  iss
entra v1       | ok    aud      iss    ten    tid exp    nbf        scp   -    who  alg  alg   key typ  iss
entra v2       | ok    aud      iss    ten    tid exp    nbf        scp   -    who  alg  alg   key typ  iss
entra v1 app   | ok    aud      iss    ten    tid exp    nbf        -     rol  who  alg  alg   key typ  iss
entra v2 app   | ok    aud      iss    ten    tid exp    nbf        -     rol  who  alg  alg   key typ  iss
v1 no roles    | none  none     iss    ten    tid none   none       -     -    who  alg  alg   key typ  iss
v2 no roles    | none  none     iss    ten    tid none   none       -     -    who  alg  alg   key typ  iss
entra Graph    | gra   ms       gra    gra    gra gra    gra        gra   -    gra  gra  gra   gra gra  iss
entra ID token | id    id       iss    ten    id  id     id         -     -    id   alg  alg   key typ  iss
entra ID v1    | id    id       iss    ten    id  id     id         -     -    id   alg  alg   key typ  iss
plain person   | ok    aud      iss    -      -   exp    nbf        scp   -    who  alg  alg   key typ  iss
plain service  | ok    aud      iss    -      -   exp    nbf        scp   -    who  alg  alg   key typ  iss
plain ID token | id    aud      iss    -      -   id     id         -     id   id   alg  alg   key typ  iss
`

// E9: every kind of token against every check; E10: an ID token passes as none of them.
func TestBearerMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kinds := w.kinds(t)
	checks := []string{
		"as is", "audience", "issuer", "tenant", "tid", "expiry", "not before", "scope", "role", "kind",
		"none", "HS256", "key", "type", "replay",
	}
	rows := strings.Split(strings.TrimSpace(matrix), "\n")[1:]
	if len(rows) != len(kinds) {
		t.Fatalf("%d rows for %d kinds", len(rows), len(kinds))
	}
	for _, row := range rows {
		name, cells, _ := strings.Cut(row, "|")
		name = strings.TrimSpace(name)
		kind, known := kinds[name]
		wanted := strings.Fields(cells)
		if !known || len(wanted) != len(checks) {
			t.Fatalf("the row %q: known %v, %d cells", name, known, len(wanted))
		}
		for i, check := range checks {
			t.Run(name+"/"+check, func(t *testing.T) {
				raw, at := w.spoilt(kind, check)
				if (raw == "") != (wanted[i] == "-") {
					t.Fatalf("there is a token: %v, and the cell says %s", raw != "", wanted[i])
				}
				for _, p := range at {
					if raw == "" {
						break
					}
					got, err := p.VerifyAccessToken(t.Context(), raw)
					wants(t, got, err, wanted[i])
					keepsQuiet(t, raw, err)
				}
			})
		}
	}
}

// keepsQuiet holds a refusal to saying nothing of the token but issuer, audience and client. S2
func keepsQuiet(t *testing.T, raw string, err error) {
	t.Helper()
	var e *oidc.Error
	if !errors.As(err, &e) {
		return
	}
	said := e.Error() + e.Message + e.Remedy
	for _, secret := range append(strings.Split(raw, "."), raw, oidctest.Ada, "Ada Byron") {
		if secret != "" && strings.Contains(said, secret) {
			t.Errorf("%q repeats %q", said, secret)
		}
	}
}

func wants(t *testing.T, got oidc.AccessToken, err error, cell string) {
	t.Helper()
	verdict, known := verdicts[cell]
	if !known && cell != "-" {
		t.Fatalf("nobody knows the cell %s", cell)
	}
	if verdict.code != "" {
		wantsRefusal(t, got, err, verdict.code, verdict.words)
	} else if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// wantsRefusal holds an answer to be a refusal, in words that name the check.
func wantsRefusal(t *testing.T, got oidc.AccessToken, err error, code, words string) {
	t.Helper()
	var e *oidc.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, words) || e.Remedy == "" {
		t.Errorf("%v, want %s with %q", err, code, words)
	}
	if got.Identity.Subject != "" || !got.ExpiresAt.IsZero() {
		t.Errorf("the refused token gives %+v", got)
	}
}

// What good tokens prove.
func TestBearerProves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kinds := w.kinds(t)
	ada := map[string]string{}
	for of, p := range w.providers {
		if of == oidc.TypeOIDC {
			w.plain.AddClient(client())
			ada[of] = signedIn(t, p, w.plain.NewBrowser(), oidctest.Ada).Identity.Subject
		} else if of == oidc.TypeOkta {
			ada[of] = signedIn(t, p, w.okta.NewBrowser(), oidctest.Ada).Identity.Subject
		} else {
			ada[of] = signedIn(t, p, w.entra.NewBrowser(), oidctest.Ada).Identity.Subject
		}
	}
	sp, _ := w.entra.Client(robot)
	programs := "entra:" + strings.TrimPrefix(w.entra.BaseURL(), "http://") + "/" + oidctest.TenantA +
		"/client/" + sp.ServicePrincipal
	for name, want := range map[string]oidc.AccessToken{
		"okta person": {
			Identity: oidc.Identity{Kind: oidc.User, Subject: ada[oidc.TypeOkta]}, Audience: "api://default",
			Scopes: []string{"openid", "vexa"}, ClientID: tool,
		},
		"okta service": {Identity: oidc.Identity{
			Kind: oidc.Service, Subject: "okta:" + w.okta.OrgIssuer() + "/client/" + oktaBot,
		}, Audience: "api://default", Scopes: []string{"vexa"}, ClientID: oktaBot},
		"entra v1": {
			Identity: oidc.Identity{Kind: oidc.User, Subject: ada[oidc.TypeEntra]},
			Audience: "api://" + apiID, Scopes: []string{"Vexa.Use"}, ClientID: tool,
		},
		"entra v2": {
			Identity: oidc.Identity{Kind: oidc.User, Subject: ada[oidc.TypeEntra]},
			Audience: "api://" + apiID, Scopes: []string{"Vexa.Use"}, ClientID: tool,
		},
		"entra v1 app": {
			Identity: oidc.Identity{Kind: oidc.Service, Subject: programs, Roles: []string{"Vexa.Sync"}},
			Audience: "api://" + apiID, ClientID: robot,
		},
		"entra v2 app": {
			Identity: oidc.Identity{Kind: oidc.Service, Subject: programs, Roles: []string{"Vexa.Sync"}},
			Audience: "api://" + apiID, ClientID: robot,
		},
		"plain person": {
			Identity: oidc.Identity{Kind: oidc.User, Subject: ada[oidc.TypeOIDC]},
			Audience: "https://vexa.acme.example", Scopes: []string{"openid", "vexa"}, ClientID: tool,
		},
		"plain service": {Identity: oidc.Identity{
			Kind: oidc.Service, Subject: "oidc:" + w.plain.Issuer() + "?client=" + robot,
		}, Audience: "https://vexa.acme.example", Scopes: []string{"vexa"}, ClientID: robot},
	} {
		k := kinds[name]
		raw := k.sign(k.claims)
		got, err := w.providers[k.of].VerifyAccessToken(t.Context(), raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		id := got.Identity
		if id.Subject != want.Identity.Subject || id.Kind != want.Identity.Kind || id.Provider != "sim" ||
			!slices.Equal(id.Roles, want.Identity.Roles) {
			t.Errorf("%s: %+v, want %+v", name, id, want.Identity)
		}
		if id.Email != "" || id.GroupsComplete || id.GroupsProblem == "" {
			t.Errorf("%s: the email is %q, the groups complete: %v", name, id.Email, id.GroupsComplete)
		}
		if got.Audience != want.Audience || got.ClientID != want.ClientID ||
			!slices.Equal(got.Scopes, want.Scopes) {
			t.Errorf("%s: %+v", name, got)
		}
		if got.IssuedAt.Unix() != k.claims["iat"] || got.ExpiresAt.Unix() != k.claims["exp"].(int64)+60 {
			t.Errorf("%s: issued %v, until %v", name, got.IssuedAt, got.ExpiresAt)
		}
		if iss, ok := oidc.UnverifiedIssuer(raw); !ok || iss != k.claims["iss"] ||
			!w.providers[k.of].Issues(iss) {
			t.Errorf("%s: the issuer is %q", name, iss)
		}
	}
}

// Who a token may be for a person never decides it: that the token says it more than once, in
// another way, or not at all.
func TestBearerIssues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		of, iss string
		want    bool
	}{
		{oidc.TypeOkta, w.okta.Issuer(), true},
		{oidc.TypeOkta, w.okta.OrgIssuer(), true}, // to refuse in words
		{oidc.TypeOkta, w.okta.OrgIssuer() + "/oauth2/other", false},
		{oidc.TypeEntra, w.entra.IssuerOf(oidctest.TenantA), true},
		{oidc.TypeEntra, w.entra.IssuerV1Of(oidctest.TenantA), true},
		{oidc.TypeEntra, w.entra.IssuerOf(oidctest.TenantB), false},
		{oidc.TypeEntra, w.entra.IssuerV1Of(oidctest.TenantB), false},
		{oidc.TypeEntra, w.entra.IssuerOf("{tenantid}"), false},
		{oidc.TypeEntra, strings.TrimSuffix(w.entra.IssuerV1Of(oidctest.TenantA), "/"), false},
		{oidc.TypeOIDC, w.plain.Issuer(), true},
		{oidc.TypeOIDC, w.plain.Issuer() + "/x", false},
		{oidc.TypeOIDC, "", false},
		{oidc.TypeOkta, "", false},
		{oidc.TypeEntra, "", false},
	} {
		if got := w.providers[test.of].Issues(test.iss); got != test.want {
			t.Errorf("%s issues %q: %v", test.of, test.iss, got)
		}
	}
	asked := w.okta.Requests(oidctest.EndpointDiscovery) + w.entra.Requests(oidctest.EndpointDiscovery) +
		w.plain.Requests(oidctest.EndpointDiscovery)
	if asked != 0 {
		t.Errorf("it cost %d calls", asked)
	}
	public := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Tenant: oidctest.TenantA, API: oidc.API{Audiences: []string{apiID}},
	})
	if !public.Issues("https://sts.windows.net/"+oidctest.TenantA+"/") || !public.AcceptsBearer() ||
		provider(t, oidc.Config{Type: oidc.TypeEntra, Tenant: oidctest.TenantA}).AcceptsBearer() {
		t.Error("version 1 of the public cloud, or whether tokens are taken at all")
	}
}
