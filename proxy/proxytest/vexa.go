package proxytest

import (
	"fmt"
	"strings"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa/vexatest"
)

// LoseKey deletes Ada's key at Vexa, unknown to the bridge.
func (w *World) LoseKey() (lost vexatest.Token) {
	w.T.Helper()
	tokens := w.Vexa.Tokens()
	if len(tokens) != 1 {
		w.T.Fatalf("there are %d keys", len(tokens))
	}
	w.Vexa.RevokeToken(tokens[0].ID)
	w.Vexa.ForgetValidations() // 0.10 would take it for another minute
	w.Vexa.GatewayWire().Forget()
	return tokens[0]
}

// Fill replaces the placeholders of a request.
func (w *World) Fill(text, cookie, key string) string {
	return strings.NewReplacer("{host}", w.Host, "{public}", w.Public, "{cookie}", cookie,
		"{key}", key, "{gateway}", strings.TrimPrefix(w.Vexa.GatewayURL, "http://")).
		Replace(text)
}

// KeyOf returns the Vexa key that the bridge minted for a person.
func (w *World) KeyOf(email string) string {
	w.T.Helper()
	user, ok := w.Vexa.User(email)
	if !ok {
		w.T.Fatalf("there is no Vexa user %s", email)
	}
	tokens := w.Vexa.Tokens(user.ID)
	if len(tokens) != 1 {
		w.T.Fatalf("%s has %d keys, want 1", email, len(tokens))
	}
	return tokens[0].Secret
}

// ExpectUpstream compares what the gateway received with what it should have, byte for byte.
func (w *World) ExpectUpstream(t *testing.T, want, key, trace string) {
	t.Helper()
	got := w.Vexa.GatewayWire().Requests()
	if want == "" {
		if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
			t.Errorf("the gateway received %d bytes: %s", n, Describe(got))
		}
		return
	}
	want = strings.ReplaceAll(w.Fill(want, "", key), "{trace}", trace)
	if len(got) != 1 || string(got[0].Raw) != want {
		t.Errorf("the gateway received\n%swant\n%q", Describe(got), want)
	}
}

// ReplaceRules brings other rules into use.
func (w *World) ReplaceRules(rules []rule.Rule) {
	w.T.Helper()
	compiled, problems := rule.Compile(rules)
	if len(problems) > 0 {
		w.T.Fatal(problems)
	}
	w.Rules.Replace(compiled)
}

const SignedIn = "Host: {host}\r\nUser-Agent: probe\r\nCookie: {cookie}\r\n"

func Describe(requests []vexatest.Request) string {
	var b strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&b, "%q\n", r.Raw)
	}
	return b.String()
}

// AccountOf returns the id of a person's account.
func AccountOf(t testing.TB, w *World, email string) string {
	t.Helper()
	var id string
	Must(t, w.Store.View(t.Context(), func(tx mapping.Tx) error {
		accounts, err := tx.AccountsAfter(mapping.Place{}, 1000)
		for _, a := range accounts {
			if a.Identity.Email == email {
				id = a.ID
			}
		}
		return err
	}))
	if id == "" {
		t.Fatalf("%s has no account", email)
	}
	return id
}

// OurHeaders is what the bridge adds to every request, in the order on the wire.
const OurHeaders = "X-Api-Key: {key}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: " +
	"{host}\r\nX-Forwarded-Proto: http\r\nX-Trace-Id: {trace}\r\n"

// PlainRequest is a GET /bots as the gateway receives it.
const PlainRequest = "GET /bots HTTP/1.1\r\nHost: {gateway}\r\nUser-Agent: probe\r\n" + OurHeaders + "\r\n"
