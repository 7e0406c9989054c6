package vexa

import (
	"cmp"
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

// finding is what we know about the deployment. While it is upgraded or rolled back, its parts differ.
type finding struct {
	// of the gateway, or, while that has not said, of the Admin API when it last did: what is forwarded, and
	// how long a deleted key lives, hangs on it
	generation string

	// of what answers at the admin address: it proved to be a Vexa Admin API, and no call failed since; else
	// empty
	admin string
}

// Generation returns which generation of Vexa this is, Gen012 or Gen010, as the last Look found it. Where
// nothing was found yet it asks the Admin API, else the gateway, and returns their error when neither says.
// Later calls return at once, whatever is down.
func (c *Client) Generation(ctx context.Context) (string, error) {
	if c.configured != "" {
		return c.configured, nil
	}
	if found := c.found.Load(); found != nil {
		return found.generation, nil
	}
	_, err := c.identify(ctx)
	if err == nil {
		return c.found.Load().generation, nil
	}
	generation, gatewayErr := c.askGateway(ctx)
	if gatewayErr != nil {
		return "", errors.Join(err, gatewayErr)
	}
	c.found.CompareAndSwap(nil, &finding{generation: generation})
	return generation, nil
}

// Look asks Vexa afresh which generation it is: it may have been upgraded, or rolled back. The gateway's word
// counts, which costs no call of the few that the Admin API of 0.10 allows; that of the Admin API where the
// gateway gives none. When neither says, nothing changes.
func (c *Client) Look(ctx context.Context) (string, error) {
	if c.configured != "" {
		return c.configured, nil
	}
	generation, err := c.askGateway(ctx)
	if err != nil {
		var adminErr error
		if generation, adminErr = c.askAdmin(ctx); adminErr != nil {
			return "", errors.Join(err, adminErr)
		}
	}
	c.update(func(f finding) finding {
		if f.generation != generation {
			f.admin = "" // to be asked again before the next call that hangs on it
		}
		f.generation = generation
		return f
	})
	return generation, nil
}

// identify makes sure that what answers at the admin address is a Vexa Admin API, and returns which one. It
// asks again after any call has failed: Vexa may have been upgraded or the address pointed elsewhere in
// between.
func (c *Client) identify(ctx context.Context) (string, error) {
	if found := c.found.Load(); found != nil && found.admin != "" {
		return found.admin, nil
	}
	c.probe.Lock()
	defer c.probe.Unlock()
	if found := c.found.Load(); found != nil && found.admin != "" {
		return found.admin, nil
	}
	admin, err := c.askAdmin(ctx)
	if err != nil {
		return "", err
	}
	if c.configured != "" {
		admin = c.configured
	}
	c.update(func(f finding) finding { return finding{cmp.Or(f.generation, admin), admin} })
	return admin, nil
}

// update changes what was found, whoever else does at the same time.
func (c *Client) update(change func(finding) finding) {
	for {
		before := c.found.Load()
		var after finding
		if before != nil {
			after = *before
		}
		after = change(after)
		if c.found.CompareAndSwap(before, &after) {
			return
		}
	}
}

// failed forgets that we know the Admin API when err casts doubt on it, and passes err on.
func (c *Client) failed(err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotAdminAPI) {
		if found := c.found.Load(); found != nil && found.admin != "" {
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

// askGateway tells the generation by the gateway alone.
func (c *Client) askGateway(ctx context.Context) (string, error) {
	const op = "identify the gateway"
	got, err := c.do(ctx, call{op: op, method: http.MethodGet, url: c.gateway + "/health"})
	if err != nil {
		return "", err
	}
	var health struct {
		Service string `json:"service"`
	}
	if got.status == http.StatusOK && json.Unmarshal(got.body, &health) == nil &&
		health.Service == "gateway" {
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
