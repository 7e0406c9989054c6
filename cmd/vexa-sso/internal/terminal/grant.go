package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// errEnded is invalid_grant: the server no longer knows the sign-in.
var errEnded = errors.New("the sign-in has ended")

// grant is a token response: of a sign-in or of its renewal.
type grant struct {
	Secrets
	scopes []string
}

// oauth returns the configuration for package oauth2. We are a public client: a secret of ours would be in
// everybody's hands.
func (s *Server) oauth(redirect string, scopes []string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    clientID,
		RedirectURL: redirect,
		Scopes:      scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: s.authorize, TokenURL: s.token, DeviceAuthURL: s.device,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

func (s *Server) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, s.client)
}

// refresh exchanges a refresh token for the next pair, after which it is spent. errEnded: it is not valid any
// more.
func (s *Server) refresh(ctx context.Context, refresh string, now time.Time) (grant, error) {
	t, err := s.oauth("", nil).TokenSource(s.with(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return grant{}, s.explain(err)
	}
	return s.accept(t, now)
}

// accept checks a token response. A token becomes part of a header, so it must have the characters of one
// (RFC 6750, section 2.1) and a bounded length.
func (s *Server) accept(t *oauth2.Token, now time.Time) (grant, error) {
	if t.Type() != "Bearer" || !isToken(t.AccessToken) || !isToken(t.RefreshToken) || t.ExpiresIn < 0 {
		return grant{}, fmt.Errorf("%s answered with something that is no token", s.Origin)
	}
	g := grant{Secrets: Secrets{Access: t.AccessToken, Refresh: t.RefreshToken}}
	g.AccessExpires = now.Add(min(time.Duration(min(t.ExpiresIn, 1<<31))*time.Second, 24*time.Hour)).UTC().
		Truncate(time.Second)
	scope, _ := t.Extra("scope").(string)
	for _, name := range strings.Fields(scope) {
		g.scopes = append(g.scopes, plain(name))
	}
	return g, nil
}

func isToken(text string) bool { return len(text) <= maxToken && tokenShape.MatchString(text) }

const maxToken = 4000

var (
	tokenShape = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
	errorShape = regexp.MustCompile(`^[a-z_]{1,60}$`)
)

// explain returns an error of the token endpoint in plain words. Of the server's response only its
// error_description is repeated.
func (s *Server) explain(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		var of *url.Error
		if errors.As(err, &of) || errors.Is(err, context.Canceled) ||
			errors.Is(err, context.DeadlineExceeded) {
			return unreached(s.Origin, err)
		}
		return fmt.Errorf("%s answered with something that is no token", s.Origin)
	}
	code, status := refused.ErrorCode, 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	why := serverWords(refused.ErrorDescription)
	if why != "" {
		why = ": " + why
	}
	switch {
	case code == "invalid_grant":
		return errEnded
	case code == "access_denied":
		return errors.New("the sign-in was declined" + why)
	case code == "expired_token":
		return errors.New("nobody confirmed the code in time")
	case code == "temporarily_unavailable", code == "server_error",
		status == http.StatusTooManyRequests, status >= 500:
		return unavailable{fmt.Errorf("%s cannot answer right now (status %d): try again later",
			s.Origin, status)}
	case errorShape.MatchString(code):
		return fmt.Errorf("%s refused (%s)%s", s.Origin, code, why)
	}
	return fmt.Errorf("%s answered with something that is no token", s.Origin)
}

// end revokes a refresh token, and all that came of it (RFC 7009).
func (s *Server) end(ctx context.Context, refresh string) error {
	form := url.Values{"client_id": {clientID}, "token": {refresh}, "token_type_hint": {"refresh_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := s.client.Do(req)
	if err != nil {
		return unreached(s.Origin, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s did not end the sign-in: it answered %d", s.Origin, res.StatusCode)
	}
	return nil
}

// whoIs asks the server whose an access token is. It is for people to read, so an error is just "".
func (s *Server) whoIs(ctx context.Context, access string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(s.Origin)+"/sso/whoami", nil)
	if err != nil {
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+access)
	req.Header.Set("Accept", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	var me struct{ Email, Name, Account string }
	if res.StatusCode != http.StatusOK ||
		json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&me) != nil {
		return ""
	}
	for _, name := range []string{me.Email, me.Name, me.Account} {
		if name = plain(name); name != "" {
			return name
		}
	}
	return ""
}
