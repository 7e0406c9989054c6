package terminal

import (
	"errors"
	"time"

	"github.com/zalando/go-keyring"
)

// service is our name in the system's keyring.
const service = "vexa-sso"

// unlockTime is how long a person has to unlock the keyring.
const unlockTime = time.Minute

// SystemKeyring is the system's keyring: Secret Service, the macOS Keychain, or the Windows Credential
// Manager.
type SystemKeyring struct{}

// Set stores a secret.
func (SystemKeyring) Set(server, secret string) error {
	_, err := withTimeout(func() (string, error) { return "", keyring.Set(service, server, secret) })
	return err
}

// Get returns a secret, or ErrNoSecret.
func (SystemKeyring) Get(server string) (string, error) {
	return withTimeout(func() (string, error) { return keyring.Get(service, server) })
}

// Delete deletes a secret, or returns ErrNoSecret.
func (SystemKeyring) Delete(server string) error {
	_, err := withTimeout(func() (string, error) { return "", keyring.Delete(service, server) })
	return err
}

// withTimeout gives up on a keyring that waits for somebody who is not there. The goroutine ends with the
// program.
func withTimeout(do func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := do()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		if errors.Is(r.err, keyring.ErrNotFound) {
			return "", ErrNoSecret
		}
		return r.text, r.err
	case <-time.After(unlockTime):
		return "", errors.New("it did not open within a minute")
	}
}
