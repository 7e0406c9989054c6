package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// clientID is our client_id.
const clientID = "vexa-sso-cli"

// Server is a bridge whose endpoints were checked to be its own.
type Server struct {
	Origin Origin

	authorize, token, device, revoke string
	client                           *http.Client
}

// metadata is the part of the authorization server metadata (RFC 8414) that we need.
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	Challenges    []string `json:"code_challenge_methods_supported"`
}

// discover fetches a server's metadata. It is believed only about the server itself: the issuer must be the
// one that belongs to the origin, and every endpoint must be at the origin. Otherwise whoever can answer
// once, in place of the server, would be sent what we hold.
func discover(ctx context.Context, client *http.Client, origin Origin) (*Server, error) {
	m, err := fetchMetadata(ctx, client, origin)
	if err != nil {
		return nil, err
	}
	if m.Issuer != origin.Issuer() {
		return nil, fmt.Errorf("%s says that it is %q: it should be %q, so nothing was sent to it",
			origin, plain(m.Issuer), origin.Issuer())
	}
	for _, e := range []struct{ what, at string }{
		{"authorization_endpoint", m.Authorization},
		{"token_endpoint", m.Token},
		{"revocation_endpoint", m.Revocation},
		{"device_authorization_endpoint", m.Device},
	} {
		if !origin.Holds(e.at) {
			return nil, fmt.Errorf("%s names %q as its %s, which is not its own: nothing was sent to it",
				origin, plain(e.at), e.what)
		}
	}
	if !slices.Contains(m.Challenges, "S256") {
		return nil, fmt.Errorf("%s does not offer PKCE with S256, without which a sign-in could be stolen "+
			"on its way back", origin)
	}
	return &Server{
		Origin: origin, authorize: m.Authorization, token: m.Token, device: m.Device,
		revoke: m.Revocation, client: client,
	}, nil
}

func fetchMetadata(ctx context.Context, client *http.Client, origin Origin) (metadata, error) {
	var m metadata
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		string(origin)+"/.well-known/oauth-authorization-server/sso/oauth", nil)
	if err != nil {
		return m, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return m, unreached(origin, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return m,
			fmt.Errorf("%s is no vexa-sso, or one that is too old to be signed in to from a terminal", origin)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return m, unavailable{fmt.Errorf("%s cannot answer right now (status %d): try again later",
			origin, res.StatusCode)}
	case res.StatusCode != http.StatusOK:
		return m, fmt.Errorf("%s answered %d instead of describing itself", origin, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return m, unreached(origin, err)
	}
	if json.Unmarshal(body, &m) != nil {
		return m, fmt.Errorf("%s does not answer as a vexa-sso does: is the address right?", origin)
	}
	return m, nil
}

// unreached returns the error of a request without a response, in plain words. The request's URL is not
// repeated.
func unreached(origin Origin, err error) error {
	var elsewhere *redirectError
	if errors.As(err, &elsewhere) {
		return fmt.Errorf("%s %w", origin, elsewhere)
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return unavailable{fmt.Errorf("%s cannot be reached: %w", origin, err)}
}
