package vexa_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
)

// Ada gets a Vexa user and a key, and loses the key again.
func Example() {
	double := vexatest.New(vexatest.Config{}) // in place of a deployment
	defer double.Close()
	if err := double.Listen("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	client, err := vexa.New(vexa.Config{
		GatewayURL: double.GatewayURL, AdminURL: double.AdminURL, AdminToken: vexatest.DefaultAdminToken,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ctx := context.Background()

	ada, made, err := client.CreateUser(ctx, "Ada@acme.example", "Ada", nil)
	fmt.Println("user:", ada.Email, made == vexa.ByUs, err)
	key, err := client.Mint(ctx, ada.ID, []string{"bot", "tx"}, "laptop", time.Hour)
	fmt.Println("key:", key.Scopes, err)
	owner, err := client.Whoami(ctx, key.Secret, "")
	fmt.Println("it is of:", owner.Email, err)

	err = client.DeleteToken(ctx, key.ID)
	fmt.Println("deleted:", err)
	_, err = client.Whoami(ctx, key.Secret, "") // a gateway may take up to 60 s to say so
	fmt.Println("refused:", errors.Is(err, vexa.ErrKeyRefused))
	// Output:
	// user: ada@acme.example true <nil>
	// key: [bot tx] <nil>
	// it is of: ada@acme.example <nil>
	// deleted: <nil>
	// refused: true
}
