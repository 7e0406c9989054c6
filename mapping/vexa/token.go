package vexa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Token is what Vexa says about an API token. It has no secret.
type Token struct {
	ID        int64
	UserID    int64
	Scopes    []string // as Vexa has them, in its order
	Name      string
	ExpiresAt time.Time // zero: never
}

// Minted is a new token, the only time that Vexa shows its secret.
type Minted struct {
	Token
	Secret string
}

// wireToken is a token on the wire, without its secret. 0.12 leaves most out when it mints.
type wireToken struct {
	ID        int64    `json:"id"`
	UserID    int64    `json:"user_id"`
	Scopes    []string `json:"scopes"`
	Name      *string  `json:"name"`
	ExpiresAt *string  `json:"expires_at"`
}

func (w wireToken) token() Token {
	t := Token{ID: w.ID, UserID: w.UserID, Scopes: w.Scopes}
	if w.Name != nil {
		t.Name = *w.Name
	}
	if w.ExpiresAt != nil {
		// Naive UTC. One that does not parse counts as never: nothing is ever decided in favour of a key by
		// it.
		t.ExpiresAt, _ = time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(*w.ExpiresAt, "Z"))
	}
	return t
}

// Mint makes a token for the user, in query form, the only one that both generations honour. expiresIn is
// rounded up to whole seconds and must be positive: Vexa takes 0 as never. The caller must compare Scopes
// with what was asked.
//
// After an error for which Uncertain holds there may be a token of that name.
func (c *Client) Mint(
	ctx context.Context, userID int64, scopes []string, name string, expiresIn time.Duration,
) (Minted, error) {
	const op = "mint token"
	seconds := int64((expiresIn + time.Second - 1) / time.Second)
	if seconds <= 0 || len(scopes) == 0 || name == "" {
		return Minted{}, &Error{
			Op: op, Kind: ErrRefused,
			Err: errors.New("scopes, a name and a lifetime are required"),
		}
	}
	query := url.Values{
		"scopes":     {strings.Join(scopes, ",")},
		"name":       {name},
		"expires_in": {strconv.FormatInt(seconds, 10)},
	}
	got, err := c.do(ctx, c.adminCall(op, http.MethodPost,
		fmt.Sprintf("/admin/users/%d/tokens?%s", userID, query.Encode()), nil))
	if err != nil {
		return Minted{}, c.failed(err)
	}
	if got.status != http.StatusCreated {
		return Minted{}, c.failed(got.refusal(op))
	}
	var wire struct {
		wireToken
		Secret string `json:"token"`
	}
	if err := got.decode(op, &wire); err != nil {
		return Minted{}, c.failed(err)
	}
	if wire.ID <= 0 || wire.Secret == "" || wire.UserID != userID {
		return Minted{}, c.failed(&Error{Op: op, Kind: ErrNotAdminAPI, Status: got.status, sent: true})
	}
	return Minted{Token: wire.token(), Secret: wire.Secret}, nil
}

// Tokens lists the user's tokens, whoever minted them, or returns ErrUserNotFound. A nil error means that a
// Vexa Admin API gave the whole list.
func (c *Client) Tokens(ctx context.Context, userID int64) ([]Token, error) {
	list, moved, err := c.tokens(ctx, userID)
	if moved {
		// Vexa was upgraded, or rolled back, under us: look at it afresh, once.
		list, _, err = c.tokens(ctx, userID)
	}
	return list, err
}

// tokens lists them as the generation that we found does it. moved is true when the answer was that of the
// other one.
func (c *Client) tokens(ctx context.Context, userID int64) (list []Token, moved bool, err error) {
	const op = "list tokens"
	generation, err := c.identify(ctx)
	if err != nil {
		return nil, false, err
	}
	var wire []wireToken
	if generation == Gen010 {
		var user struct {
			ID     int64        `json:"id"`
			Tokens *[]wireToken `json:"api_tokens"`
		}
		got, err := c.list(ctx, c.adminCall(op, http.MethodGet, fmt.Sprintf("/admin/users/%d", userID), nil),
			&user)
		if err != nil {
			return nil, false, err
		}
		if user.ID != userID || user.Tokens == nil {
			return nil, true, c.failed(&Error{Op: op, Kind: ErrNotAdminAPI, Status: got.status, sent: true})
		}
		wire = *user.Tokens
	} else {
		got, err := c.list(ctx, c.adminCall(op, http.MethodGet, fmt.Sprintf("/admin/users/%d/tokens", userID),
			nil), &wire)
		if err != nil {
			return nil, got.status == http.StatusMethodNotAllowed, err
		}
		if wire == nil {
			return nil, false, c.failed(&Error{Op: op, Kind: ErrNotAdminAPI, Status: got.status, sent: true})
		}
	}
	list = make([]Token, len(wire))
	for i, w := range wire {
		list[i] = w.token()
	}
	return list, false, nil
}

func (c *Client) list(ctx context.Context, what call, into any) (answer, error) {
	got, err := c.do(ctx, what)
	if err != nil {
		return got, c.failed(err)
	}
	if got.status != http.StatusOK {
		return got, c.failed(got.refusal(what.op))
	}
	if err := got.decode(what.op, into); err != nil {
		return got, c.failed(err)
	}
	return got, nil
}

// DeleteToken deletes a token. It returns nil only when the token is gone: Vexa said 204, or what we know to
// be its Admin API said that there is no such token. A 404 of anything else confirms nothing (S5).
func (c *Client) DeleteToken(ctx context.Context, id int64) error {
	const op = "delete token"
	if _, err := c.identify(ctx); err != nil {
		return err
	}
	got, err := c.do(ctx, c.adminCall(op, http.MethodDelete, fmt.Sprintf("/admin/tokens/%d", id), nil))
	switch {
	case err != nil:
		return c.failed(err)
	case got.status == http.StatusNoContent:
		return nil
	case got.status == http.StatusNotFound && got.detail() == "Token not found":
		return nil
	}
	return c.failed(got.refusal(op))
}
