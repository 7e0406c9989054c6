package store

import (
	"fmt"
	"time"
)

// micros is how a time is stored: Unix microseconds, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment reads a stored time, as UTC, into the time that it points at.
type moment struct{ into *time.Time }

// Scan implements sql.Scanner.
func (m moment) Scan(stored any) error {
	n, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("a stored time is a %T", stored)
	}
	if n == 0 {
		*m.into = time.Time{}
	} else {
		*m.into = time.UnixMicro(n).UTC()
	}
	return nil
}
