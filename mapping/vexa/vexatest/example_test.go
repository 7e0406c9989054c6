package vexatest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"vexa-sso/mapping/vexa/vexatest"
)

// A program runs a Vexa, makes a user and a key as an administrator elsewhere would,
// and sees what a client sees.
func Example() {
	v := vexatest.New(vexatest.Config{Generation: "0.10"})
	defer v.Close()
	if err := v.Listen("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	user := v.AddUser("ada@example.com", "Ada")
	token := v.AddToken(user.ID, "laptop", 0, "bot", "tx")

	request, _ := http.NewRequest("GET", v.GatewayURL+"/auth/me", nil)
	request.Header.Set("X-API-Key", token.Secret)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(string(body))
	fmt.Println(strings.HasPrefix(string(v.GatewayWire().Requests()[0].Raw), "GET /auth/me HTTP/1.1\r\n"))
	// Output:
	// {"user_id":1,"email":"ada@example.com","scopes":["bot","tx"],"max_concurrent":1}
	// true
}
