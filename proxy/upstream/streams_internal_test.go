package upstream

import (
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// S5: a token that is revoked takes its own streams with it, at once: those of the account's other tokens
// and of its browser go on.
func TestRevokedTokenCutsItsStreams(t *testing.T) {
	t.Parallel()
	open := NewStreams(20)
	cut := map[string]bool{}
	for _, id := range []string{"tok_1", "tok_2", "ses_1", ""} {
		st := &stream{
			caller: &caller.Caller{CredentialID: id, Account: mapping.Account{ID: "ada"}}, kind: "events",
			cut: func(*ending) { cut[id] = true },
		}
		if err := open.add(st); err != nil {
			t.Fatal(err)
		}
	}
	open.End("ada", "tok_1")
	if len(cut) != 1 || !cut["tok_1"] {
		t.Errorf("cut: %v", cut)
	}
}
