package oidctest

import (
	"context"
	"time"
)

// Patience is how long tests wait for what must happen. It is no promise: only what hangs takes so long,
// however busy the machine is.
const Patience = 2 * time.Minute

// Within returns a context that ends with the test, and when its patience does.
func Within(t TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Await waits until something holds that others bring about, and returns whether it does. It looks often at
// first, and the longer it takes, the less so.
func Await(holds func() bool) bool {
	for began := time.Now(); !holds(); {
		waited := time.Since(began)
		if waited > Patience {
			return false
		}
		<-time.After(max(5*time.Millisecond, waited/50))
	}
	return true
}

// WaitFor is Await, and ends the test if it was in vain.
func WaitFor(t TB, what string, holds func() bool) {
	t.Helper()
	if !Await(holds) {
		t.Fatalf("waited in vain for %s", what)
	}
}
