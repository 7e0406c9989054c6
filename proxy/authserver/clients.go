package authserver

import (
	"context"
	"errors"
)

// Client is a program that may ask people for access. It has no secret: whoever holds the program holds that
// too (RFC 6749 section 2.1, public clients).
type Client struct {
	ID   string // client_id
	Name string // what people call it

	// RedirectURIs are where answers may be sent, each matched exactly; one on http://127.0.0.1 or
	// http://[::1] with any port (RFC 8252 section 7.3).
	RedirectURIs []string

	Device bool // may use the device grant (RFC 8628)
}

// ErrUnknownClient: there is no client of that id.
var ErrUnknownClient = errors.New("no such client")

// Clients is where clients are registered.
type Clients interface {
	// Client returns the client of that id, or ErrUnknownClient.
	Client(ctx context.Context, id string) (Client, error)
}

// Builtin are clients that are part of the program, by id.
type Builtin map[string]Client

// Client implements Clients.
func (b Builtin) Client(_ context.Context, id string) (Client, error) {
	client, ok := b[id]
	if !ok {
		return Client{}, ErrUnknownClient
	}
	return client, nil
}

// CommandLine is the client_id of vexa-sso itself, signing somebody in from a terminal.
const CommandLine = "vexa-sso-cli"

// BuiltinClients are the clients that are registered everywhere.
func BuiltinClients() Builtin {
	return Builtin{CommandLine: {
		ID: CommandLine, Name: "Vexa command line", Device: true,
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
	}}
}
