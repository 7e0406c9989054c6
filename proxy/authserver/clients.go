package authserver

import (
	"context"
	"errors"
)

// Client is an OAuth client. It is a public client: it has no secret, because whoever holds the program would
// hold that too (RFC 6749 section 2.1).
type Client struct {
	ID   string // client_id
	Name string // what people call it

	// RedirectURIs are the registered redirect URIs, each matched exactly; one on http://127.0.0.1 or
	// http://[::1] with any port (RFC 8252 section 7.3).
	RedirectURIs []string

	Device bool // may use the device grant (RFC 8628)
}

// ErrUnknownClient says that no client has that id.
var ErrUnknownClient = errors.New("no such client")

// Clients is the registry of clients.
type Clients interface {
	// Client returns the client with that client_id, or ErrUnknownClient.
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

// CommandLine is the client_id of the program vexa-sso itself, for signing in from a terminal.
const CommandLine = "vexa-sso-cli"

// BuiltinClients returns the clients that every bridge has.
func BuiltinClients() Builtin {
	return Builtin{CommandLine: {
		ID: CommandLine, Name: "Vexa command line", Device: true,
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
	}}
}
