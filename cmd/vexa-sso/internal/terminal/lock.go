package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// Locks, each for one server.
const (
	renewing  = "renew"  // reading, renewing and writing a sign-in
	prompting = "prompt" // asking the person
)

// lockTime is how long to wait for a renewal elsewhere: for the server's answers, and a person who unlocks a
// keyring.
const lockTime = 2 * time.Minute

// lock waits for a lock of this server; it calls first, once, when it has to wait. The lock is flock on an
// empty file, so that it is gone with its process, however that ends.
func (w *Wallet) lock(
	ctx context.Context, origin Origin, what string, first func(),
) (unlock func(), err error) {
	l := flock.New(w.path(origin)+"."+what+".lock", flock.SetPermissions(0o600))
	got, err := l.TryLock()
	if err == nil && !got {
		first()
		got, err = l.TryLockContext(ctx, 50*time.Millisecond)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil,
			errors.New("another vexa-sso on this machine holds the lock for too long: end it and try again")
	}
	if err != nil || !got {
		return nil, fmt.Errorf("locking the sign-in to %s: %w", origin, err)
	}
	return func() { l.Close() }, nil
}
