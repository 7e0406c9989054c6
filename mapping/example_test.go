package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc"
)

// Ada signs in, gets a Vexa key that she never sees, and leaves the company.
func Example() {
	ctx := context.Background()
	client, accounts, stop, err := start(ctx, rule.Rule{
		Name:  "staff",
		Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	ada, decision, err := accounts.SignIn(ctx, oidc.Identity{
		Provider: "okta", Subject: "okta:https://acme.okta.com/00uada", Kind: oidc.User,
		Email: "ada@acme.example", EmailTrusted: true, Groups: []string{"staff"}, GroupsComplete: true,
	}, "")
	fmt.Println("signed in:", ada.Status, "as Vexa user", ada.VexaUserID, ada.VexaEmail, err)

	grant := decision.Grant
	secret, _, _, err := accounts.Key(ctx, ada, grant, grant.Scopes)
	owner, keyErr := client.Whoami(ctx, secret, "")
	fmt.Println("key of:", owner.Email, "scopes", owner.Scopes, err, keyErr)

	err = accounts.Revoke(ctx,
		mapping.Revocation{Kind: mapping.RevokeAccount, Account: ada.ID, Reason: "left"}, "an admin")
	waiting, deleteErr := accounts.DeleteRevoked(ctx) // Accounts.Run does it in the background
	fmt.Println("revoked; keys that still wait to be deleted:", waiting, err, deleteErr)

	_, err = client.Whoami(ctx, secret, "")
	fmt.Println("the key is refused:", errors.Is(err, vexa.ErrKeyRefused))
	_, _, _, err = accounts.Key(ctx, ada, grant, grant.Scopes)
	if refused, ok := errors.AsType[*mapping.Error](err); ok {
		fmt.Println(refused.Code+":", refused.Message)
	}
	// Output:
	// signed in: active as Vexa user 1 ada@acme.example <nil>
	// key of: ada@acme.example scopes [bot tx] <nil> <nil>
	// revoked; keys that still wait to be deleted: 0 <nil> <nil>
	// the key is refused: true
	// suspended: Your access to Vexa is suspended. Ask your administrator.
}

// start puts together what cmd/vexa-sso does: a Vexa (here a double), a store, a key ring and rules.
func start(ctx context.Context, rules ...rule.Rule) (*vexa.Client, *mapping.Accounts, func(), error) {
	double := vexatest.New(vexatest.Config{})
	if err := double.Listen("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return nil, nil, nil, err
	}
	client, err := vexa.New(vexa.Config{
		GatewayURL: double.GatewayURL, AdminURL: double.AdminURL, AdminToken: vexatest.DefaultAdminToken,
	})
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := store.Open(ctx, store.Config{URL: "sqlite::memory:"}, store.Env{})
	if err != nil {
		return nil, nil, nil, err
	}
	secret, err := keyring.Generate()
	if err != nil {
		return nil, nil, nil, err
	}
	ring, err := keyring.Load(secret)
	if err != nil {
		return nil, nil, nil, err
	}
	compiled, problems := rule.Compile(rules)
	if len(problems) > 0 {
		return nil, nil, nil, problems[0]
	}
	live := new(rule.Live)
	live.Replace(compiled)
	accounts := mapping.NewAccounts(mapping.Config{Instance: "prod"}, mapping.Deps{
		Store: db, Vexa: client, Ring: ring, Rules: live, Log: slog.New(slog.DiscardHandler),
	})
	stop := func() {
		db.Close()
		double.Close()
	}
	return client, accounts, stop, nil
}
