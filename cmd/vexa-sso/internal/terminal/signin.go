package terminal

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// patience is how long a sign-in waits for the person.
const patience = 5 * time.Minute

var errUnanswered = errors.New("nobody finished the sign-in within 5 minutes")

// byBrowser signs in through the browser of this machine: authorization code with PKCE, back to a loopback
// address (RFC 8252). It prints the URL, and open, if it is not nil, opens it. No token is ever in a URL: the
// browser carries a code, which only this process can exchange.
func (s *Server) byBrowser(
	ctx context.Context, tell func(format string, args ...any), open func(url string) error,
	scopes []string, now func() time.Time,
) (grant, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errUnanswered)
	defer cancel()
	l, err := listen(random(), s.Origin.Issuer())
	if err != nil {
		return grant{}, err
	}
	listening, quiet := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go l.serve(listening, done)
	defer func() { quiet(); <-done }()

	config, verifier := s.oauth(l.redirectURI(), scopes), oauth2.GenerateVerifier()
	address := config.AuthCodeURL(l.state, oauth2.S256ChallengeOption(verifier))
	invite(tell, open, s.Origin, address)
	var back answer
	select {
	case back = <-l.answers:
	case <-ctx.Done():
		return grant{}, context.Cause(ctx)
	}
	g, err := s.redeem(ctx, config, back, verifier, now)
	l.verdict <- err
	return g, err
}

// invite prints the URL of the sign-in, and opens it where that can be done.
func invite(
	tell func(format string, args ...any), open func(url string) error, origin Origin, address string,
) {
	if open != nil && open(address) == nil {
		tell("Your browser is being opened to sign in to %s. If it isn't, open this address in "+
			"it:\n\n  %s\n\n", origin, address)
		return
	}
	tell("Open this address in a browser on this machine to sign in to %s:\n\n  %s\n\nIf there is no "+
		"browser on this machine, use --device.\n", origin, address)
}

// redeem exchanges the code for tokens.
func (s *Server) redeem(
	ctx context.Context, config *oauth2.Config, back answer, verifier string, now func() time.Time,
) (grant, error) {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(back.err, &refused):
		return grant{}, s.explain(back.err)
	case back.err != nil:
		return grant{}, back.err
	}
	asked := now()
	t, err := config.Exchange(s.with(ctx), back.code, oauth2.VerifierOption(verifier))
	if err != nil {
		return grant{}, explainCode(s.explain(err))
	}
	return s.accept(t, asked)
}

// explainCode replaces errEnded, which for a code means that it expired or was used.
func explainCode(err error) error {
	if errors.Is(err, errEnded) {
		return errors.New("the sign-in took too long, or was answered twice: try again")
	}
	return err
}

// byDevice signs in through a browser on any machine: the person opens a page of the server and enters a code
// (RFC 8628).
func (s *Server) byDevice(
	ctx context.Context, tell func(format string, args ...any), scopes []string, now func() time.Time,
) (grant, error) {
	config := s.oauth("", scopes)
	d, err := config.DeviceAuth(s.with(ctx))
	if err != nil {
		return grant{}, s.explain(err)
	}
	if err := s.vetDevice(d); err != nil {
		return grant{}, err
	}
	tell("Open %s in a browser on any machine and enter the code\n\n  %s\n\n", d.VerificationURI, d.UserCode)
	if d.VerificationURIComplete != "" {
		tell("or open this address, and compare the code:\n\n  %s\n\n", d.VerificationURIComplete)
	}
	for {
		asked := now()
		t, err := config.DeviceAccessToken(s.with(ctx), d)
		if err == nil {
			return s.accept(t, asked)
		}
		if errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(d.Expiry) {
			return grant{}, errors.New("nobody confirmed the code in time")
		}
		if err = explainCode(s.explain(err)); !Unavailable(err) {
			return grant{}, err
		}
		d.Interval = min(2*d.Interval, 60) // a server that is restarted meanwhile still knows the code
	}
}

// vetDevice checks that the URLs of a device response are the server's own, and bounds its times.
func (s *Server) vetDevice(d *oauth2.DeviceAuthResponse) error {
	for _, address := range []string{d.VerificationURI, d.VerificationURIComplete} {
		if address != "" && !s.Origin.Holds(address) || address != plain(address) {
			return fmt.Errorf("%s wants you to enter a code at %q, which is not its own: don't",
				s.Origin, plain(address))
		}
	}
	if d.VerificationURI == "" || d.UserCode == "" || d.DeviceCode == "" || len(d.UserCode) > 40 ||
		d.UserCode != plain(d.UserCode) {
		return fmt.Errorf("%s answered with something that is no code", s.Origin)
	}
	now := time.Now() // the library's clock
	if latest := now.Add(30 * time.Minute); d.Expiry.Before(now) || d.Expiry.After(latest) {
		d.Expiry = latest
	}
	if d.Interval <= 0 {
		d.Interval = 5
	}
	d.Interval = min(d.Interval, 60)
	return nil
}

// random returns 256 random bits in base64url.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
