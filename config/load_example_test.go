package config_test

import (
	"errors"
	"fmt"

	"vexa-sso/config"
)

// Everything that is wrong is said at once, each with its place and what to write instead.
func ExampleLoad() {
	const document = `instance: prod
public_url: http://vexa.acme.example
vexa:
  gateway_url: http://gateway:8000
  admin_url: http://admin-api:8001
  admin_token: ${env:ADMIN_TOKEN}
providers:
  - name: okta
    type: okta
    issuer: https://acme.okta.com
    client_id: 0oa1
    client_secret: ${env:CLIENT_SECRET}
rules:
  - { name: staff, match: { groups: [vexa-users] }, grant: { scopes: [bot, tx] } }
`
	// A program passes os.Environ(). The variable holds the document here, in place of the file.
	_, err := config.Load("vexa-sso.yaml", []string{
		"VEXA_SSO_CONFIG=" + document, "ADMIN_TOKEN=admin-token", "CLIENT_SECRET=client-secret",
	})
	problems, _ := errors.AsType[config.Errors](err)
	for _, p := range problems {
		fmt.Printf("line %d, %s: %s:\n  %s\n", p.Line, p.Key, p.Message, p.Remedy)
	}
	// Output:
	// line 1, keyring_file: is missing:
	//   make a key ring with `vexa-sso keyring generate`; without it nothing could be sealed
	// line 2, public_url: plain http would show sessions and tokens to the network:
	//   write https://, and give tls its files or put a TLS terminator in front
}
