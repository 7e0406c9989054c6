package bridge

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// late is as far behind as it says.
type late struct {
	by  time.Duration
	err error
}

func (l late) RenewalsBehind(context.Context) (time.Duration, error) { return l.by, l.err }
func (l late) RenewalsLate() time.Duration                           { return 4 * time.Minute }

// Somebody is told when people are renewed later than session.renew says, and not before.
func TestRenewalsInTime(t *testing.T) {
	t.Parallel()
	for by, want := range map[time.Duration]string{
		0: "", 4 * time.Minute: "", 5 * time.Minute: "have been due for 5m0s",
	} {
		err := renewalsInTime(late{by: by})(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("behind by %s: %v", by, err)
		}
	}
	gone := errors.New("gone")
	if err := renewalsInTime(late{err: gone})(t.Context()); !errors.Is(err, gone) {
		t.Errorf("nobody knows: %v", err)
	}
}
