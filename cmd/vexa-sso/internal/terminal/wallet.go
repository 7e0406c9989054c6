package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Wallet stores sign-ins: a file with mode 0600 for each server, and the secrets in the system's keyring, or
// where there is none in that file.
type Wallet struct {
	dir     string
	keyring Keyring
}

// Keyring stores one secret for each server. Get and Delete return ErrNoSecret where there is none.
type Keyring interface {
	Set(server, secret string) error
	Get(server string) (string, error)
	Delete(server string) error
}

// ErrNoSecret says that the keyring has nothing for a server.
var ErrNoSecret = errors.New("the keyring has nothing for this server")

// NotSignedIn says that there is no sign-in to a server.
type NotSignedIn struct{ Origin Origin }

func (e *NotSignedIn) Error() string {
	return fmt.Sprintf("you are not signed in to %s: sign in first: vexa-sso login %s", e.Origin, e.Origin)
}

// OpenWallet opens the wallet in a folder, which is created if needed. It refuses a folder that others can
// access or own.
func OpenWallet(dir string, keyring Keyring) (*Wallet, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for sign-ins: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the sign-ins: %w", err)
	}
	if err := onlyOurs(dir, info); err != nil {
		return nil, err
	}
	return &Wallet{dir: dir, keyring: keyring}, nil
}

// Folder returns the folder of a person's wallet: $XDG_CONFIG_HOME/vexa-sso, or the system's place for such
// things.
func Folder(getenv func(string) string) (string, error) {
	if home := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, "vexa-sso"), nil
	}
	home, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the folder for sign-ins: %w", err)
	}
	return filepath.Join(home, "vexa-sso"), nil
}

// All returns the sign-ins without their secrets, the newest first: that is the default server.
func (w *Wallet) All() ([]SignIn, error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the sign-ins: %w", err)
	}
	var all []SignIn
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		in, err := w.read(filepath.Join(w.dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // signed out of just now
		}
		if err != nil {
			return nil, err
		}
		in.Secrets = nil
		all = append(all, in)
	}
	slices.SortStableFunc(all, func(a, b SignIn) int { return b.SignedInAt.Compare(a.SignedInAt) })
	return all, nil
}

// Note returns a sign-in without asking the keyring for its secrets, or *NotSignedIn.
func (w *Wallet) Note(origin Origin) (SignIn, error) {
	in, err := w.read(w.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return SignIn{}, &NotSignedIn{origin}
	}
	if err == nil && in.Origin != origin {
		err = fmt.Errorf("%s is not about %s: delete it and sign in again", w.path(origin), origin)
	}
	return in, err
}

// get returns a sign-in with its secrets, which are nil for one that has ended.
func (w *Wallet) get(origin Origin) (SignIn, error) {
	in, err := w.Note(origin)
	if err != nil || in.Ended || in.Kept == InFile {
		return in, err
	}
	text, err := w.keyring.Get(string(origin))
	if errors.Is(err, ErrNoSecret) {
		in.Ended = true // somebody tidied the keyring
		return in, nil
	}
	if err != nil {
		return in, fmt.Errorf("opening the system's keyring: %w", err)
	}
	in.Secrets = new(Secrets)
	if json.Unmarshal([]byte(text), in.Secrets) != nil {
		in.Ended, in.Secrets = true, nil
	}
	return in, nil
}

// put stores a sign-in: in the keyring, unless it is in a file already; and in a file if the keyring cannot
// be used, for the reason that is returned as noKeyring.
func (w *Wallet) put(in SignIn) (noKeyring, err error) {
	switch {
	case in.Ended:
		in.Secrets = nil
		if in.Kept == InKeyring {
			w.keyring.Delete(string(in.Origin)) // if it stays, it opens nothing
		}
	case in.Kept != InFile:
		text, err := json.Marshal(in.Secrets)
		if err != nil {
			return nil, fmt.Errorf("keeping the sign-in: %w", err)
		}
		if noKeyring = w.keyring.Set(string(in.Origin), string(text)); noKeyring == nil {
			in.Kept, in.Secrets = InKeyring, nil
		} else {
			in.Kept = InFile
		}
	}
	return noKeyring, w.write(in)
}

// drop deletes a sign-in.
func (w *Wallet) drop(in SignIn) error {
	var err error
	if in.Kept != InFile {
		if err = w.keyring.Delete(string(in.Origin)); errors.Is(err, ErrNoSecret) {
			err = nil
		}
	}
	if gone := os.Remove(w.path(in.Origin)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err != nil {
		return fmt.Errorf("forgetting the sign-in: %w", err)
	}
	return nil
}

func (w *Wallet) path(origin Origin) string { return filepath.Join(w.dir, origin.fileName()+".json") }

func (w *Wallet) read(path string) (SignIn, error) {
	f, err := os.Open(path)
	if err != nil {
		return SignIn{}, fmt.Errorf("reading a sign-in: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return SignIn{}, fmt.Errorf("reading a sign-in: %w", err)
	}
	if err := onlyOurs(path, info); err != nil {
		return SignIn{}, err
	}
	var in SignIn
	if err := json.NewDecoder(f).Decode(&in); err != nil {
		return SignIn{}, fmt.Errorf("%s cannot be read: delete it and sign in again", path)
	}
	return in, nil
}

// write replaces a file atomically, also under a power failure.
func (w *Wallet) write(in SignIn) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping the sign-in: %w", err)
		}
	}()
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(w.dir, ".*.json") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has its new name by then, unless something failed
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), w.path(in.Origin))
}
