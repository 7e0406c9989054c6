package upstream

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/caller"
)

// under puts something under way for each account.
func under(t *testing.T, accounts ...string) *Streams {
	t.Helper()
	open := NewStreams(20)
	for _, id := range accounts {
		st := &stream{
			caller: &caller.Caller{Account: mapping.Account{ID: id}}, kind: transfer,
			ends: enderFunc(func() {}),
		}
		if err := open.add(st); err != nil {
			t.Fatal(err)
		}
	}
	return open
}

// taken returns the accounts that are in doubt, in the order in which they are handed out.
func taken(open *Streams) (accounts []string) {
	for {
		open.mu.Lock()
		account, ok := open.doubts.next()
		open.mu.Unlock()
		if !ok {
			return accounts
		}
		accounts = append(accounts, account)
	}
}

// S5: whose grant was revoked does not wait until everybody was looked at by new rules; nor do those wait for
// ever while people are revoked. Each is looked at once.
func TestRevokedAreNotBehindEveryone(t *testing.T) {
	t.Parallel()
	open := under(t, "ada", "tim", "eve", "bob", "kim", "ida")
	rules := &rule.Rules{}
	open.Follow(rules)
	for _, account := range []string{"ida", "kim", "ida", "nobody"} {
		open.Doubt(account)
	}
	got := taken(open)
	if len(got) != 6 || slices.Index(got, "ida") > 1 || slices.Index(got, "kim") > 3 {
		t.Errorf("in this order: %v", got)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(got)))) != 6 {
		t.Errorf("somebody twice: %v", got)
	}
	for _, account := range got {
		open.Looked(account, false)
	}
	open.Follow(rules)
	if again := taken(open); len(again) != 0 {
		t.Errorf("in doubt by the same rules: %v", again)
	}
	open.Follow(&rule.Rules{})
	if again := taken(open); len(again) != 6 {
		t.Errorf("in doubt by others: %v", again)
	}
}

// S5: nobody is looked at by two at a time, of whom the one who read first might be the last to say what they
// read; who is revoked meanwhile is looked at once more.
func TestOneLooksAtAnAccount(t *testing.T) {
	t.Parallel()
	open := under(t, "ada")
	open.Doubt("ada")
	if got := taken(open); len(got) != 1 {
		t.Fatalf("in doubt: %v", got)
	}
	open.Doubt("ada")
	open.Doubt("ada")
	if got := taken(open); len(got) != 0 {
		t.Errorf("looked at by two: %v", got)
	}
	open.Looked("ada", false)
	if got := taken(open); len(got) != 1 {
		t.Errorf("revoked while somebody looked: %v", got)
	}
	open.Looked("ada", false)
	if got := taken(open); len(got) != 0 {
		t.Errorf("once more: %v", got)
	}
}

// Who could not be looked at is looked at again, but not at once: the store may be in trouble.
func TestFailedLookIsRepeatedAfterASweep(t *testing.T) {
	t.Parallel()
	open := under(t, "ada")
	open.Doubt("ada")
	taken(open)
	open.Looked("ada", true)
	if got := taken(open); len(got) != 0 {
		t.Errorf("looked at again at once: %v", got)
	}
	open.Sweep(time.Unix(1_800_000_000, 0), func(*caller.Caller, string) {})
	if got := taken(open); len(got) != 1 {
		t.Errorf("after the sweep: %v", got)
	}
}

// Several take from the queue, and all of it is taken.
func TestSeveralLookAtATime(t *testing.T) {
	t.Parallel()
	const many = 500
	var accounts []string
	for i := range many {
		accounts = append(accounts, fmt.Sprint(i))
	}
	open := under(t, accounts...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	taken := make(chan string)
	for range 8 {
		go func() {
			for {
				account, ok := open.NextInDoubt(ctx)
				if !ok {
					return
				}
				taken <- account
				open.Looked(account, false)
			}
		}()
	}
	open.DoubtAll()
	seen := map[string]bool{}
	for range many {
		seen[<-taken] = true
	}
	if len(seen) != many {
		t.Errorf("%d of %d were taken", len(seen), many)
	}
}
