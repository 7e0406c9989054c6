package vexa

import (
	"context"
	"net/http"
)

// Owner is whose a key is, by the gateway's word.
type Owner struct {
	UserID        int64    `json:"user_id"`
	Email         string   `json:"email"`
	Scopes        []string `json:"scopes"`
	MaxConcurrent int      `json:"max_concurrent"`
}

// Whoami asks the gateway whose key this is. ErrKeyRefused: it says that the key is not good, which before
// 0.12 it also says when it cannot reach its own Admin API; and for up to 60 s after a deletion it may still
// call the key good. from is the address of who showed us the key, "" for us: a gateway that bans addresses
// which show bad keys is to ban theirs (V12).
func (c *Client) Whoami(ctx context.Context, key, from string) (Owner, error) {
	const op = "ask the gateway whose key this is"
	got, err := c.do(ctx, call{
		op: op, method: http.MethodGet, url: c.gateway + "/auth/me",
		header: "X-API-Key", secret: key, from: from,
	})
	if err != nil {
		return Owner{}, err
	}
	switch got.status {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return Owner{}, &Error{Op: op, Kind: ErrKeyRefused, Status: got.status, sent: true}
	default:
		return Owner{}, &Error{Op: op, Kind: ErrUnavailable, Status: got.status, sent: true}
	}
	var owner Owner
	if err := got.decode(op, &owner); err != nil || owner.UserID <= 0 {
		return Owner{}, &Error{Op: op, Kind: ErrUnavailable, Status: got.status, sent: true}
	}
	return owner, nil
}
