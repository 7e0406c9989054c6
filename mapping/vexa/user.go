package vexa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"vexa-sso/oidc/address"
)

// User is a Vexa user.
type User struct {
	ID                int64  `json:"id"`
	Email             string `json:"email"`
	Name              string `json:"name"`
	MaxConcurrentBots int    `json:"max_concurrent_bots"`
}

// Made says what is known about who made the user that CreateUser returned.
type Made int

const (
	Existed Made = iota + 1 // the user was there before our first attempt reached Vexa
	ByUs                    // Vexa said that it created the user for this call
	// an attempt of ours got no clear answer, then the user was there: ours, or made
	// by somebody else just then
	Unclear
)

// FindUser returns the user with this address, or ErrUserNotFound. Vexa compares exactly, and 0.10 stores
// internationalised domains in Unicode: it is asked in both spellings. ErrEmail: Vexa cannot look the address
// up.
func (c *Client) FindUser(ctx context.Context, email string) (User, error) {
	const op = "find user"
	email, err := lookupEmail(op, email)
	if err != nil {
		return User{}, err
	}
	user, err := c.findExactly(ctx, op, email)
	if readable := address.Unicode(email); readable != email && errors.Is(err, ErrUserNotFound) {
		return c.findExactly(ctx, op, readable)
	}
	return user, err
}

func (c *Client) findExactly(ctx context.Context, op, email string) (User, error) {
	return c.user(ctx, c.adminCall(op, http.MethodGet, "/admin/users/email/"+url.PathEscape(email), nil))
}

// User returns the user with this id, or ErrUserNotFound.
func (c *Client) User(ctx context.Context, id int64) (User, error) {
	return c.user(ctx, c.adminCall("read user", http.MethodGet, fmt.Sprintf("/admin/users/%d", id), nil))
}

// CreateUser creates the user with this address, or returns the one that there is, unchanged, and says which.
// bots is max_concurrent_bots of a new user; nil leaves it to Vexa. name has at most 100 characters and no
// NUL, which are a 500 there, or is empty. Vexa answers simultaneous creates of one address with a 500 to
// some: we ask once more before giving up.
func (c *Client) CreateUser(ctx context.Context, email, name string, bots *int) (User, Made, error) {
	const op = "create user"
	email, err := lookupEmail(op, email)
	if err != nil {
		return User{}, 0, err
	}
	body := struct {
		Email string `json:"email"`
		Name  string `json:"name,omitempty"`
		Bots  *int   `json:"max_concurrent_bots,omitempty"`
	}{email, name, bots}
	post := c.adminCall(op, http.MethodPost, "/admin/users", body)

	got, err := c.do(ctx, post)
	unclear := false
	if err != nil && Uncertain(err) && ctx.Err() == nil {
		unclear = true
		got, err = c.do(ctx, post)
	}
	if err != nil {
		return User{}, 0, c.failed(err)
	}
	var user User
	switch got.status {
	case http.StatusCreated, http.StatusOK:
		if err := got.decodeUser(op, &user); err != nil {
			return User{}, 0, c.failed(err)
		}
	default:
		return User{}, 0, c.failed(got.refusal(op))
	}
	switch {
	case got.status == http.StatusCreated:
		return user, ByUs, nil
	case unclear:
		return user, Unclear, nil
	}
	return user, Existed, nil
}

// SetMaxBots sets how many bots the user may run at a time; 0 blocks all.
func (c *Client) SetMaxBots(ctx context.Context, id int64, bots int) error {
	body := struct {
		Bots int `json:"max_concurrent_bots"`
	}{bots}
	_, err := c.user(ctx, c.adminCall("set max_concurrent_bots", http.MethodPatch,
		fmt.Sprintf("/admin/users/%d", id), body))
	return err
}

// user makes a call that answers with a user.
func (c *Client) user(ctx context.Context, what call) (User, error) {
	got, err := c.do(ctx, what)
	if err != nil {
		return User{}, c.failed(err)
	}
	if got.status != http.StatusOK {
		return User{}, c.failed(got.refusal(what.op))
	}
	var user User
	if err := got.decodeUser(what.op, &user); err != nil {
		return User{}, c.failed(err)
	}
	return user, nil
}

// decodeUser reads a user and refuses JSON that is none.
func (a answer) decodeUser(op string, into *User) error {
	if err := a.decode(op, into); err != nil {
		return err
	}
	if into.ID <= 0 {
		return &Error{Op: op, Kind: ErrNotAdminAPI, Status: a.status, sent: true}
	}
	return nil
}

// lookupEmail returns the address in the form that is sent, or ErrEmail where Vexa has no way to look it up:
// its route ends at a slash, and a NUL is a 500.
func lookupEmail(op, email string) (string, error) {
	email = address.Tidy(email)
	at := strings.IndexByte(email, '@')
	if at <= 0 || at == len(email)-1 || len(email) > 254 || strings.ContainsFunc(email, func(r rune) bool {
		return r <= ' ' || r == '/' || r == '\\' || r == 0x7f
	}) {
		return "", &Error{Op: op, Kind: ErrEmail}
	}
	return email, nil
}
