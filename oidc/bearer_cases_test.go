package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// takes verifies a token that must hold.
func takes(t *testing.T, p *oidc.Provider, raw string) oidc.AccessToken {
	t.Helper()
	got, err := p.VerifyAccessToken(t.Context(), raw)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return got
}

// refuses verifies a token that must not hold, for the reason that the message names.
func refuses(t *testing.T, p *oidc.Provider, raw, code, words string) {
	t.Helper()
	got, err := p.VerifyAccessToken(t.Context(), raw)
	wantsRefusal(t, got, err, code, words)
}

// E9: the provider's clock and ours may differ by a minute, and no more, at both ends of a token's life.
func TestBearerTimes(t *testing.T) {
	t.Parallel()
	var at atomic.Int64
	at.Store(1_795_400_000)
	now := func() time.Time { return time.Unix(at.Load(), 0) }
	double := okta(t, oidctest.OktaOptions{Now: now})
	p, err := oidc.New(oidc.Config{
		Name: "sim", Type: oidc.TypeOkta, Issuer: double.Issuer(), ClientID: apiID, RedirectURL: callback,
		API: oidc.API{Audiences: []string{"api://default"}},
	}, oidc.Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	good := double.AccessTokenClaims(oidctest.Ada, tool, "vexa").With("nbf", at.Load())
	for name, test := range map[string]struct {
		claims      oidctest.Claims
		code, words string
	}{
		"as it is":         {claims: good},
		"expired, in time": {claims: good.With("exp", at.Load()-59)},
		"expired":          {good.With("exp", at.Load()-60), oidc.CodeTokenExpired, "has expired"},
		"expired long ago": {good.With("exp", 1), oidc.CodeTokenExpired, "has expired"},
		"for ever":         {good.With("exp", nil), oidc.CodeTokenInvalid, "does not say when it expires"},
		"until a text": {
			good.With("exp", "1795403600"), oidc.CodeTokenInvalid, "does not say when it expires",
		},
		"until nothing": {good.With("exp", 0), oidc.CodeTokenInvalid, "does not say when it expires"},
		"until the end of time": {
			good.With("exp", 1e300), oidc.CodeTokenInvalid, "does not say when it expires",
		},
		"soon, in time":        {claims: good.With("nbf", at.Load()+60)},
		"soon":                 {good.With("nbf", at.Load()+61), oidc.CodeTokenInvalid, "not valid yet"},
		"from a text":          {good.With("nbf", "now"), oidc.CodeTokenInvalid, "not valid yet"},
		"issued soon, in time": {claims: good.With("iat", at.Load()+60)},
		"issued soon":          {good.With("iat", at.Load()+61), oidc.CodeTokenInvalid, "when it was issued"},
		"issued never":         {good.With("iat", nil), oidc.CodeTokenInvalid, "when it was issued"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := double.Sign(test.claims)
			if test.code != "" {
				refuses(t, p, raw, test.code, test.words)
				return
			}
			if got := takes(t, p, raw); !got.ExpiresAt.After(now()) {
				t.Errorf("it is taken, and no longer of use since %v", got.ExpiresAt)
			}
		})
	}
}

// What Okta says in its own way, and what it never says.
func TestBearerOkta(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{Servers: []oidctest.OktaServer{
		oidctest.DefaultOktaServer(),
		{ID: "aus1simAs6Df3Gh8J5d7", Audience: "api://vexa", GroupsInAccessToken: true},
		{ID: "other", Audience: "api://vexa"},
	}})
	second := double.OrgIssuer() + "/oauth2/aus1simAs6Df3Gh8J5d7"
	api := oidc.API{
		Audiences: []string{"api://default", "api://vexa"}, Issuers: []string{second},
		Clients: []string{tool, oktaBot},
	}
	p := provider(t, oidc.Config{
		Type: oidc.TypeOkta, Issuer: double.OrgIssuer(), Scopes: []string{"groups"},
		TrustedDomains: []string{"acme.example"}, API: api,
	})
	key, err := double.Keys(second).Active()
	if err != nil {
		t.Fatal(err)
	}
	good := double.AccessTokenClaims(oidctest.Ada, tool, "vexa").With("iss", second).
		With("aud", "api://vexa").With("groups", []string{oidctest.GroupUsers})
	sign := func(c oidctest.Claims, o ...oidctest.SignOption) string { return oidctest.Sign(key, c, o...) }

	got := takes(t, p, sign(good))
	ada := signedIn(t, p, double.NewBrowser(), oidctest.Ada).Identity
	if got.Identity.Subject != ada.Subject || got.Identity.Claims["sub"] != ada.Claims["sub"] ||
		got.Identity.Claims["preferred_username"] != oidctest.Ada {
		t.Errorf("%+v, and at sign-in %+v", got.Identity, ada)
	}
	if !got.Identity.GroupsComplete || !slices.Equal(got.Identity.Groups, []string{oidctest.GroupUsers}) {
		t.Errorf("groups %v, complete: %v", got.Identity.Groups, got.Identity.GroupsComplete)
	}
	// The org's trusted domains prove an address that the token has, as at sign-in; a no stands.
	if id := takes(t, p, sign(good.With("email", oidctest.Ada))).Identity; id.Email != oidctest.Ada ||
		!id.EmailTrusted {
		t.Errorf("%+v", id)
	}
	if id := takes(
		t, p, sign(good.With("email", oidctest.Ada).With("email_verified", false)),
	).Identity; id.Email != "" || id.UnprovenEmail != oidctest.Ada {
		t.Errorf("%+v", id)
	}
	service := double.ServiceTokenClaims(oktaBot, "vexa").With("iss", second).With("aud", "api://vexa")
	if id := takes(
		t, p, sign(service.With("email", oidctest.Ada).With("email_verified", true)),
	).Identity; id.Email != "" || id.Kind != oidc.Service {
		t.Errorf("a program has an address: %+v", id)
	}
	takes(t, p, sign(good.With("aud", []string{"api://x", "api://vexa"})))
	takes(t, p, sign(good.With("scp", "a vexa"), oidctest.Header("typ", "at+jwt")))

	for name, test := range map[string]struct{ raw, words string }{
		"the org's own": {double.OrgAccessToken(oidctest.Ada, tool), "of the Okta org itself"},
		"a server that is not listed": {
			double.Sign(good.With("iss", double.OrgIssuer()+"/oauth2/other")), "whose tokens are not taken",
		},
		"the first server, not listed": {
			double.Sign(double.AccessTokenClaims(oidctest.Ada, tool, "vexa")), "whose tokens are not taken",
		},
		"another server's key":         {double.Sign(good), "No key of its issuer"}, // 09
		"another server's key and kid": {double.Sign(good, oidctest.KeyID(key.ID)), "No key of its issuer"},
		"a program that is not listed": {
			sign(good.With("cid", "0oaSomebodyElse")), `"0oaSomebodyElse" may not show`,
		},
		"no program":           {sign(good.With("cid", nil)), "This is an ID token"},
		"an ID token with cid": {sign(good.With("jti", "ID.x")), "This is an ID token"},
		"an ID token with at_hash": {
			sign(good.With("at_hash", "x"), oidctest.Header("typ", "at+jwt")), "This is an ID token",
		},
		"an ID token with nonce":    {sign(good.With("nonce", "x")), "This is an ID token"},
		"a login that is a program": {sign(good.With("sub", tool)), "a person's or a program's"},
		"a program with uid": {
			sign(service.With("uid", "00u1sim4Rt8YxNa3e6f7")), "a person's or a program's",
		},
		"a uid of null":      {sign(good.With("uid", []any{})), "does not name an Okta user"},
		"a uid with a slash": {sign(good.With("uid", "client/"+oktaBot)), "does not name an Okta user"},
		"a program with a slash": {
			sign(good.With("cid", "../x").With("uid", nil).With("sub", "../x")), "a person's or a program's",
		},
		"scopes that are none": {sign(good.With("scp", 7)), "cannot be read"},
		"bound to a key":       {sign(good.With("cnf", map[string]any{"jkt": "x"})), "bound to a key"},
		"a logout token":       {sign(good.With("events", map[string]any{})), "security events"},
		"no audience":          {sign(good.With("aud", nil)), "for the audience of nobody"},
		"an audience in parts": {
			sign(good.With("aud", []any{7, "api://x", "api://y", "api://z", "api://w"})),
			`"api://z" and 1 more`,
		},
		"crit": {
			sign(good, oidctest.Header("crit", []string{"exp"}), oidctest.Header("exp", 1)), "crit, zip",
		},
		"zip":                      {sign(good, oidctest.Header("zip", "DEF")), "crit, zip"},
		"p2c":                      {sign(good, oidctest.Header("p2c", 1<<30)), "crit, zip"},
		"PS256, which is not said": {sign(good, oidctest.Algorithm(jose.PS256)), "not signed in a way"},
		"encrypted":                {"eyJhbGciOiJkaXIifQ.a.b.c.d", "is encrypted"},
		"opaque":                   {"00tokenThatIsNone", "not a signed JSON Web Token"},
		"nothing":                  {"", "not a signed JSON Web Token"},
		"too long":                 {strings.Repeat("a", 64<<10+1), "longer than the 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, p, test.raw, oidc.CodeTokenInvalid, test.words) })
	}
	// Two servers are two issuers with keys of their own, also once both are known.
	two := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), API: api})
	first := double.AccessTokenClaims(oidctest.Ada, tool, "vexa")
	takes(t, two, double.Sign(first))
	takes(t, two, sign(good))
	refuses(t, two, double.Sign(good), oidc.CodeTokenInvalid, "No key of its issuer")
	refuses(t, two, sign(first), oidc.CodeTokenInvalid, "No key of its issuer")

	untaking := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer()})
	refuses(t, untaking, sign(good), oidc.CodeTokenInvalid, "Access tokens of Sim (Okta) are not taken here")
	takesNone := untaking.Issues(second) || p.Issues(double.Issuer())
	if takesNone || !p.Issues(second) || !p.Issues(double.OrgIssuer()) {
		t.Error("whose tokens they are")
	}
}

// What Entra says in its own way: guests, other tenants, whose keys they are, groups.
func TestBearerEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	double.AddPerson(oidctest.Attacker(oidctest.Ada))
	double.AddClient(oidctest.Client{ID: tool})
	many := func(cfg oidc.Config) *oidc.Provider {
		cfg.Type, cfg.Cloud, cfg.Tenant = oidc.TypeEntra, double.BaseURL(), "organizations"
		cfg.API.Audiences, cfg.API.Issuers = []string{apiID}, []string{double.IssuerV1Of("{tenantid}")}
		return provider(t, cfg)
	}
	one := many(oidc.Config{
		AllowedTenants: []string{oidctest.TenantA}, TrustedDomains: []string{"acme.example"},
		API: oidc.API{Clients: []string{strings.ToUpper(tool)}},
	})
	both := many(oidc.Config{
		AllowedTenants: []string{oidctest.TenantA, oidctest.TenantB}, Guests: oidc.GuestsAllow,
	})
	personal, err := double.MSAKeys().Active()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := double.ForeignKey()
	if err != nil {
		t.Fatal(err)
	}
	for version, mint := range map[string]func(string, string, string, ...string) oidctest.Claims{
		"v1": double.AccessTokenClaimsV1, "v2": double.AccessTokenClaims,
	} {
		t.Run(version, func(t *testing.T) {
			ada := mint(oidctest.Ada, tool, apiID, "Vexa.Use")
			eve := mint("mallory@evil.example", tool, apiID, "Vexa.Use").With("email", oidctest.Ada)
			guest := mint(oidctest.Guest, tool, apiID, "Vexa.Use")
			id := takes(t, one, double.Sign(ada)).Identity
			if id.Claims["preferred_username"] != oidctest.Ada || id.Name != "Ada Byron" {
				t.Errorf("%+v", id)
			}
			// 01, nOAuth: another tenant's person with our person's address is somebody
			// else, without an address.
			refuses(t, one, double.Sign(eve), oidc.CodeTenantRefused, "organisation")
			if stranger := takes(t, both, double.Sign(eve)).Identity; stranger.Subject == id.Subject ||
				stranger.Email != "" || stranger.UnprovenEmail != oidctest.Ada {
				t.Errorf("%+v beside %+v", stranger, id)
			}
			refuses(t, one, double.Sign(guest), oidc.CodeGuestRefused, "Guest")
			named := guest.With("idp", nil).
				With("unique_name", "gil_partner.example#EXT#@nwsim.onmicrosoft.com").
				With("preferred_username", nil)
			refuses(t, one, double.Sign(named), oidc.CodeGuestRefused, "Guest")
			if id := takes(
				t, both, double.Sign(guest.With("email", oidctest.Guest)),
			).Identity; id.Kind != oidc.User || id.Email != "" {
				t.Errorf("a guest is %+v", id)
			}
			// 03: the keys of personal accounts and of other clouds are published, too.
			for _, key := range []*oidctest.Key{personal, foreign} {
				refuses(t, one, oidctest.Sign(key, ada, oidctest.Header("typ", "JWT")), oidc.CodeTokenInvalid,
					"No key of its issuer")
			}
			// 04, 05
			for _, tid := range []string{"", "../" + oidctest.TenantA, "{tenantid}"} {
				refuses(t, one, double.Sign(ada.With("tid", tid)), oidc.CodeTokenInvalid, "")
			}
			refuses(t, one,
				double.Sign(ada.With("ver", map[string]string{"v1": "2.0", "v2": "1.0"}[version])),
				oidc.CodeTokenInvalid, "does not agree")
			refuses(t, one, double.Sign(ada.With("ver", nil)), oidc.CodeTokenInvalid, "does not agree")
			refuses(t, one, double.Sign(ada.With("oid", "nobody")), oidc.CodeTokenInvalid,
				"a person's or a program's")
			refuses(t, one, double.Sign(ada.With("azp", robot).With("appid", robot)),
				oidc.CodeTokenInvalid, "may not show")
			refuses(t, one, double.Sign(ada.With("azp", "x").With("appid", "x")),
				oidc.CodeTokenInvalid, "which program")
			refuses(t, one, double.Sign(ada.With("scp", " ")), oidc.CodeTokenInvalid,
				"a person's or a program's")
			refuses(t, one, double.Sign(ada.With("idtyp", "device")), oidc.CodeTokenInvalid,
				"a person's or a program's")
			refuses(t, one, double.Sign(ada.With("sub", ada["oid"])), oidc.CodeTokenInvalid,
				"a person's or a program's")
			// One application, however the program spells it.
			for _, aud := range []string{
				apiID, strings.ToUpper(apiID), "api://" + apiID, "api://" + apiID + "/",
			} {
				takes(t, one, double.Sign(ada.With("aud", aud)))
			}
			for _, aud := range []string{
				"api://" + tool, "api://api://" + apiID, apiID + "x",
				"https://acme.example/" + apiID, oidctest.TenantA,
			} {
				refuses(t, one, double.Sign(ada.With("aud", aud)), oidc.CodeTokenInvalid,
					"is for the audience")
			}
			// An address is proven as at sign-in.
			ada = ada.With("email", oidctest.Ada)
			if id := takes(t, one, double.Sign(ada)).Identity; id.Email != oidctest.Ada || !id.EmailTrusted {
				t.Errorf("%+v", id)
			}
			if id := takes(t, both, double.Sign(ada)).Identity; id.Email != "" {
				t.Errorf("%+v", id)
			}
			if id := takes(t, both,
				double.Sign(ada.With("xms_edov", "1"))).Identity; id.Email != oidctest.Ada {
				t.Errorf("%+v", id)
			}
		})
	}
	// A program's own tenant, which version 1 tokens name in idp, makes it no guest.
	program := double.ServiceTokenClaims(tool, apiID).With("roles", []string{"Vexa.Sync"})
	takes(t, one, double.Sign(program.With("idp", double.IssuerV1Of(oidctest.TenantA))))
	refuses(t, one, double.Sign(program.With("idp", double.IssuerV1Of(oidctest.TenantB))),
		oidc.CodeGuestRefused, "Guest")
	for _, aud := range []string{
		"https://graph.microsoft.com", "https://graph.microsoft.us/",
		"https://graph.windows.net", oidctest.GraphAppID,
	} {
		refuses(t, one,
			double.Sign(double.AccessTokenClaims(oidctest.Ada, tool, apiID, "User.Read").With("aud", aud)),
			oidc.CodeTokenInvalid, "Microsoft Graph")
	}
}

// Too many groups in an access token are resolved as those of an ID token, and are unknown when they cannot
// be; no groups at all are unknown, too, since what an API's tokens list is for its own registration to say.
func TestBearerGroups(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	var names []string
	for i := range 201 {
		names = append(names, "team "+string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	c := client()
	c.GraphPermissions = []string{"User.Read.All", "GroupMember.Read.All"}
	c.AccessTokenClaims = []string{"groups"}
	c.GrantTypes = []string{oidctest.GrantCode, oidctest.GrantRefresh, oidctest.GrantClientCredentials}
	double.AddClient(c)
	double.AddPerson(oidctest.Person{Email: "busy@acme.example", Groups: names})
	p := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA,
		API: oidc.API{Audiences: []string{apiID}},
	})
	id := takes(t, p, double.Sign(double.AccessTokenClaims(oidctest.Ada, tool, apiID, "Vexa.Use"))).Identity
	if !id.GroupsComplete || id.GroupsByID ||
		!slices.Equal(id.Groups, []string{oidctest.GroupIDs[oidctest.GroupUsers]}) {
		t.Errorf("%+v", id)
	}
	busy := double.Sign(double.AccessTokenClaims("busy@acme.example", tool, apiID, "Vexa.Use"))
	if id := takes(t, p, busy).Identity; !id.GroupsComplete || !id.GroupsByID || len(id.Groups) != 201 {
		t.Errorf("%d groups, complete: %v, %s", len(id.Groups), id.GroupsComplete, id.GroupsProblem)
	}
	double.Break(oidctest.EndpointGraph, oidctest.Status(http.StatusForbidden))
	// 14
	if id := takes(t, p, busy).Identity; id.GroupsComplete || len(id.Groups) != 0 || id.GroupsProblem == "" {
		t.Errorf("%+v", id)
	}
	// A program's groups are nobody's to ask Graph for.
	asked := double.Requests(oidctest.EndpointGraph)
	service := double.ServiceTokenClaims(apiID, apiID).With("roles", []string{"Vexa.Sync"}).
		With("_claim_names", map[string]any{"groups": "src1"}).
		With("_claim_sources", map[string]any{"src1": map[string]any{"endpoint": "https://evil.example"}})
	if id := takes(t, p, double.Sign(service)).Identity; id.GroupsComplete || id.Kind != oidc.Service ||
		double.Requests(oidctest.EndpointGraph) != asked {
		t.Errorf("%+v", id)
	}
}

// By the book, and what providers leave out of it.
func TestBearerPlain(t *testing.T) {
	t.Parallel()
	double := oidctest.StartPlain(t, oidctest.PlainOptions{})
	double.AddCast()
	const aud = "https://vexa.acme.example"
	p := provider(t, oidc.Config{
		Type: oidc.TypeOIDC, Issuer: double.Issuer() + "/", RolesClaim: "realm_access.roles",
		API: oidc.API{Audiences: []string{aud, apiID}, RequiredRole: "sync"},
	})
	person, service := double.AccessTokenClaims(oidctest.Ada, tool, aud, "vexa"),
		double.ServiceTokenClaims(robot, aud).With("scope", nil).
			With("realm_access", map[string]any{"roles": []string{"sync"}})
	atJWT := oidctest.Header("typ", "application/at+jwt")
	for name, raw := range map[string]string{
		"a person":              double.Sign(person),
		"a person, typed":       double.Sign(person, atJWT),
		"azp":                   double.Sign(person.With("client_id", nil).With("azp", tool)),
		"several audiences":     double.Sign(person.With("aud", []string{"account", aud})),
		"for our client, typed": double.Sign(person.With("aud", apiID), atJWT),
		"for our client, Keycloak's": double.Sign(person.With("aud", apiID).With("typ", "Bearer").
			With("nonce", "of the sign-in")),
		"a program": double.Sign(service),
		"a program, Auth0's": double.Sign(service.With("sub", robot+"@clients").With("client_id", nil).
			With("azp", robot)),
		"a program that a person set up": double.Sign(service.With("name", "Nightly sync")),
	} {
		got := takes(t, p, raw)
		if want := map[bool]oidc.Kind{
			true: oidc.Service, false: oidc.User,
		}[strings.HasPrefix(name, "a program")]; got.Identity.Kind != want {
			t.Errorf("%s is a %s", name, got.Identity.Kind)
		}
		if got.Identity.Kind == oidc.Service &&
			got.Identity.Subject != "oidc:"+double.Issuer()+"?client="+robot {
			t.Errorf("%s is %s", name, got.Identity.Subject)
		}
	}
	for name, test := range map[string]struct{ raw, words string }{
		"an ID token": {
			double.Sign(double.IDTokenClaims(oidctest.Ada, apiID, "n")), "This is an ID token",
		},
		"for our client, untyped":  {double.Sign(person.With("aud", apiID)), "This is an ID token"},
		"Keycloak's ID token":      {double.Sign(person.With("typ", "ID")), "This is an ID token"},
		"Keycloak's refresh token": {double.Sign(person.With("typ", "Refresh")), "another kind"},
		"no program":               {double.Sign(person.With("client_id", nil)), "a person's or a program's"},
		"nobody":                   {double.Sign(person.With("sub", nil)), "a person's or a program's"},
		"a sub of line breaks":     {double.Sign(person.With("sub", "a\nb")), "a person's or a program's"},
		"a person named as a program": {
			double.Sign(service.With("auth_time", 1)), "a person's or a program's",
		},
		"a person with a program's email": {
			double.Sign(service.With("sub", robot+"@clients").With("email", oidctest.Ada)),
			"a person's or a program's",
		},
		"a program without the role": {
			double.Sign(service.With("realm_access", nil)), `does not have the role "sync"`,
		},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, p, test.raw, oidc.CodeTokenInvalid, test.words) })
	}
	// The issuer is exactly the provider's, also while nobody has read how it spells itself.
	cold := provider(t,
		oidc.Config{Type: oidc.TypeOIDC, Issuer: double.Issuer(), API: oidc.API{Audiences: []string{aud}}})
	refuses(t, cold, double.Sign(person.With("iss", double.Issuer()+"/")), oidc.CodeTokenInvalid,
		"whose tokens are not taken here")
	// A person whose sub is written as a program's subject would be is still that person.
	if got := takes(t, p, double.Sign(person.With("sub", "?client="+robot))).Identity.Subject; got !=
		"oidc:"+double.Issuer()+"#?client="+robot {
		t.Errorf("%s", got)
	}
}

// Tokens as the doubles give them over HTTP: delegated by a sign-in, and a program's own.
func TestBearerGranted(t *testing.T) {
	t.Parallel()
	org := okta(t, oidctest.OktaOptions{
		Servers: []oidctest.OktaServer{{ID: "default", Audience: "api://default", Scopes: []string{"vexa"}}},
	})
	tenant := entra(t, oidctest.EntraOptions{})
	grants := []string{oidctest.GrantCode, oidctest.GrantClientCredentials}
	org.AddClient(oidctest.Client{
		ID: oktaBot, Secrets: []string{secret}, RedirectURIs: []string{callback}, GrantTypes: grants,
		ServiceScopes: []string{"vexa"},
	})
	tenant.AddClient(oidctest.Client{
		ID: robot, Secrets: []string{secret}, RedirectURIs: []string{callback}, GrantTypes: grants,
		AppRoles:  map[string][]string{apiID: {"Vexa.Sync"}},
		Delegated: map[string][]string{apiID: {"Vexa.Use", "Vexa.Read"}},
	})
	atOkta := provider(t, oidc.Config{
		Type: oidc.TypeOkta, Issuer: org.Issuer(),
		API: oidc.API{Audiences: []string{"api://default"}, RequiredScope: "vexa"},
	})
	atEntra := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: tenant.BaseURL(), Tenant: oidctest.TenantA, API: oidc.API{
			Audiences: []string{"api://" + apiID}, Issuers: []string{tenant.IssuerV1Of(oidctest.TenantA)},
			RequiredScope: "Vexa.Use", RequiredRole: "Vexa.Sync",
		},
	})

	fromOkta := func(who, scope string) string {
		return granted(t, org.Double, org.Issuer()+"/v1/authorize", org.Issuer()+"/v1/token",
			oktaBot, who, scope)
	}
	fromEntra := func(who, scope string) string {
		at := tenant.BaseURL() + "/" + oidctest.TenantA + "/oauth2/v2.0/"
		return granted(t, tenant.Double, at+"authorize", at+"token", robot, who, scope)
	}
	if got := takes(t, atOkta, fromOkta(oidctest.Ada, "openid vexa")); got.Identity.Kind != oidc.User ||
		got.ClientID != oktaBot {
		t.Errorf("%+v", got)
	}
	if got := takes(t, atOkta, fromOkta("", "vexa")); got.Identity.Kind != oidc.Service {
		t.Errorf("%+v", got)
	}
	for version := 2; version > 0; version-- {
		if err := tenant.ChangeClient(apiID, func(c *oidctest.Client) {
			c.TokenVersion = version
		}); err != nil {
			t.Fatal(err)
		}
		if got := takes(
			t, atEntra, fromEntra(oidctest.Ada, "api://"+apiID+"/.default"),
		); got.Identity.Kind != oidc.User || !slices.Equal(got.Scopes, []string{"Vexa.Use", "Vexa.Read"}) {
			t.Errorf("%+v", got)
		}
		if got := takes(t, atEntra,
			fromEntra("", "api://"+apiID+"/.default")); got.Identity.Kind != oidc.Service {
			t.Errorf("%+v", got)
		}
	}
	refuses(t, atEntra, fromEntra(oidctest.Ada, "openid profile"), oidc.CodeTokenInvalid, "Microsoft Graph")
}

// granted is an access token from a token endpoint: a person's, or with nobody the program's own.
func granted(t *testing.T, d *oidctest.Double, authorize, token, clientID, who, scope string) string {
	t.Helper()
	form := url.Values{
		"client_id": {clientID}, "client_secret": {secret},
		"grant_type": {oidctest.GrantClientCredentials}, "scope": {scope},
	}
	if who != "" {
		request := url.Values{
			"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {scope},
			"state": {"s"}, "nonce": {"n"},
		}
		back, err := d.SignIn(t.Context(), authorize+"?"+request.Encode(), who)
		if err != nil {
			t.Fatal(err)
		}
		form = url.Values{
			"client_id": {clientID}, "client_secret": {secret}, "grant_type": {oidctest.GrantCode},
			"code": {back.Params.Get("code")}, "redirect_uri": {callback},
		}
	}
	res, err := http.PostForm(token, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("the token endpoint answered %d: %v", res.StatusCode, err)
	}
	return answer.AccessToken
}

// S10: while the provider is down, those whose keys are known are served, and others are told to come back.
// Strangers' tokens cost no call.
func TestBearerWhileProviderIsDown(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	cfg := oidc.Config{
		Type: oidc.TypeOkta, Issuer: double.Issuer(), API: oidc.API{Audiences: []string{"api://default"}},
	}
	warm, cold := provider(t, cfg), provider(t, cfg)
	raw := double.Sign(double.AccessTokenClaims(oidctest.Ada, tool, "vexa"))
	takes(t, warm, raw)
	double.Break(oidctest.EndpointKeys, oidctest.Down())
	takes(t, warm, raw)
	refuses(t, cold, raw, oidc.CodeProviderUnavailable, "")
	double.Break(oidctest.EndpointDiscovery, oidctest.Down())
	refuses(t, provider(t, cfg), raw, oidc.CodeProviderUnavailable, "")

	fresh := okta(t, oidctest.OktaOptions{})
	cfg.Issuer = fresh.Issuer()
	p := provider(t, cfg)
	refuses(t, p, double.Sign(double.AccessTokenClaims(oidctest.Ada, tool)), oidc.CodeTokenInvalid,
		"whose tokens are not taken")
	if n := fresh.Requests(oidctest.EndpointDiscovery) + fresh.Requests(oidctest.EndpointKeys); n != 0 {
		t.Errorf("a stranger's token cost %d calls", n)
	}
	stranger, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // 10
		forged := oidctest.Sign(stranger, fresh.AccessTokenClaims(oidctest.Ada, tool),
			oidctest.KeyID(fmt.Sprint("unknown-", i)))
		refuses(t, p, forged, oidc.CodeTokenInvalid, "No key of its issuer")
	}
	if n := fresh.Requests(oidctest.EndpointKeys); n > 2 {
		t.Errorf("forgeries cost %d fetches of the keys", n)
	}
}
