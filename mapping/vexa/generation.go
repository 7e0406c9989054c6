package vexa

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// The generations of Vexa.
const (
	Gen012 = "0.12"
	Gen010 = "0.10"
)

// finding is what we know about the deployment.
type finding struct {
	generation string
	// what answers at the admin address proved to be a Vexa Admin API, and no call failed since
	admin bool
}

// Generation returns which generation of Vexa this is, Gen012 or Gen010. It asks once and remembers: later
// calls return at once, whatever is down. Before the first success it asks the Admin API, else the gateway,
// and returns their error when neither says.
func (c *Client) Generation(ctx context.Context) (string, error) {
	if c.configured != "" {
		return c.configured, nil
	}
	if found := c.found.Load(); found != nil {
		return found.generation, nil
	}
	found, err := c.identify(ctx)
	if err == nil {
		return found.generation, nil
	}
	generation, gatewayErr := c.askGateway(ctx)
	if gatewayErr != nil {
		return "", errors.Join(err, gatewayErr)
	}
	c.found.CompareAndSwap(nil, &finding{generation: generation})
	return generation, nil
}

// identify makes sure that what answers at the admin address is a Vexa Admin API, and which one. It asks
// again after any call has failed: Vexa may have been upgraded or the address pointed elsewhere in between.
func (c *Client) identify(ctx context.Context) (finding, error) {
	if found := c.found.Load(); found != nil && found.admin {
		return *found, nil
	}
	c.probe.Lock()
	defer c.probe.Unlock()
	if found := c.found.Load(); found != nil && found.admin {
		return *found, nil
	}
	generation, err := c.askAdmin(ctx)
	if err != nil {
		return finding{}, err
	}
	found := finding{generation: generation, admin: true}
	if c.configured != "" {
		found.generation = c.configured
	}
	c.found.Store(&found)
	return found, nil
}

// failed forgets that we know the Admin API when err casts doubt on it, and passes err on.
func (c *Client) failed(err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotAdminAPI) {
		if found := c.found.Load(); found != nil && found.admin {
			c.found.CompareAndSwap(found, &finding{generation: found.generation})
		}
	}
	return err
}

// nobody is an address that no user has: looking it up proves that an Admin API answers, and takes our token.
const nobody = "nobody@vexa-sso.invalid"

// askAdmin asks the Admin API. The generations differ in the list of users, which only 0.10 has; that alone
// would be easily mistaken, so the look-up of a user must work as well.
func (c *Client) askAdmin(ctx context.Context) (string, error) {
	const op = "identify the Admin API"
	got, err := c.do(ctx, c.adminCall(op, http.MethodGet, "/admin/users?limit=1", nil))
	if err != nil {
		return "", err
	}
	var generation string
	switch got.status {
	case http.StatusMethodNotAllowed:
		generation = Gen012
	case http.StatusOK:
		generation = Gen010
	default:
		return "", got.refusal(op)
	}
	if _, err := c.FindUser(ctx, nobody); err != nil && !errors.Is(err, ErrUserNotFound) {
		return "", err
	}
	return generation, nil
}

// askGateway tells the generation by the gateway alone, for a start while the Admin API is down.
func (c *Client) askGateway(ctx context.Context) (string, error) {
	const op = "identify the gateway"
	got, err := c.do(ctx, call{op: op, method: http.MethodGet, url: c.gateway + "/health"})
	if err != nil {
		return "", err
	}
	if got.status == http.StatusOK {
		return Gen012, nil
	}
	got, err = c.do(ctx, call{op: op, method: http.MethodGet, url: c.gateway + "/"})
	if err != nil {
		return "", err
	}
	var hello struct {
		Message string `json:"message"`
	}
	if got.status == http.StatusOK && json.Unmarshal(got.body, &hello) == nil &&
		strings.Contains(hello.Message, "Vexa API Gateway") {
		return Gen010, nil
	}
	return "", &Error{
		Op: op, Kind: ErrUnavailable, Status: got.status,
		Err: errors.New("what answers is not a Vexa gateway"), sent: true,
	}
}
