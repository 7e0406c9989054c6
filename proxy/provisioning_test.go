package proxy_test

import (
	"net/http"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// 20, 21: what providers send to a SCIM endpoint, Entra's "False" and an address of another org's
// person among it, changes nobody's account and reaches nobody: there is no such endpoint, with
// whatever credential it comes.
func TestNobodyIsProvisioned(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	b.Get("/bots")
	_, token := w.NewToken(oidctest.Ada, "tx")
	account := proxytest.AccountOf(t, w, oidctest.Ada)
	before, err := w.Accounts.Account(t.Context(), account)
	proxytest.Must(t, err)
	w.Vexa.GatewayWire().Forget()

	const (
		disable  = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`
		takeOver = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@acme.example","emails":[{"value":"ada@acme.example","primary":true}],"active":true}`
	)
	for _, ask := range []struct{ method, path, body string }{
		{"PATCH", "/sso/scim/v2/Users/" + account, disable},
		{"POST", "/sso/scim/v2/Users", takeOver},
		{"POST", "/sso/scim/v2/Bulk", takeOver},
		{"DELETE", "/sso/scim/v2/Users/" + account, ""},
		{"GET", "/sso/scim/v2/Users", ""},
	} {
		for name, header := range map[string][]string{
			"nothing": nil, "a made-up secret": {"Authorization", "Bearer scim-secret"},
			"a token of hers": {"Authorization", "Bearer " + token},
		} {
			header := append([]string{"Content-Type", "application/scim+json"}, header...)
			if res := w.Program().Send(ask.method, ask.path, ask.body, header...); res.Status < 400 ||
				res.Status >= 500 {
				t.Errorf("%s %s with %s: %d %s", ask.method, ask.path, name, res.Status, res.Body)
			}
		}
	}
	after, err := w.Accounts.Account(t.Context(), account)
	proxytest.Must(t, err)
	if after.Status != mapping.Active || !after.ProvenAt.Equal(before.ProvenAt) ||
		after.VexaUserID != before.VexaUserID {
		t.Errorf("was %+v, is %+v", before, after)
	}
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Errorf("afterwards: %d %s", res.Status, res.Body)
	}
	if n := len(w.Vexa.GatewayWire().Requests()); n != 1 {
		t.Errorf("the gateway got %d requests", n)
	}
}
