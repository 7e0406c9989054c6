package upstream

import (
	"context"

	"vexa-sso/mapping/rule"
)

// doubts are the accounts whose streams must be looked at again. Two queues take turns, so that somebody
// whose grant was revoked does not wait until everybody was looked at by new rules, nor the other way round.
// An account is looked at by one at a time: of two views of it, the older must not come last.
type doubts struct {
	queues  [2]doubtful
	turn    int
	looking map[string]bool // and true when it must be looked at once more
	failed  map[string]struct{}
	rules   *rule.Rules   // of the last [Streams.Follow]
	waiting chan struct{} // signals that there is something to look at
}

// The queues.
const (
	revoked  = iota // what a revocation concerns
	everyone        // what is due for another look, and all when the rules change
)

// doubtful is a queue of accounts, each in it once.
type doubtful struct {
	order []string
	has   map[string]struct{}
}

func newDoubts() doubts {
	d := doubts{
		looking: map[string]bool{}, failed: map[string]struct{}{}, waiting: make(chan struct{}, 1),
	}
	for i := range d.queues {
		d.queues[i].has = map[string]struct{}{}
	}
	return d
}

// add puts an account into a queue.
func (d *doubts) add(queue int, account string) {
	q := &d.queues[queue]
	if _, looking := d.looking[account]; looking {
		d.looking[account] = true // what is being read may be from before
		return
	}
	if _, ok := q.has[account]; ok {
		return
	}
	q.has[account] = struct{}{}
	q.order = append(q.order, account)
	d.wake()
}

func (d *doubts) wake() {
	select {
	case d.waiting <- struct{}{}:
	default:
	}
}

// next takes the next account, for somebody to look at.
func (d *doubts) next() (account string, ok bool) {
	for range d.queues {
		d.turn = (d.turn + 1) % len(d.queues)
		for q := &d.queues[d.turn]; len(q.order) > 0; {
			account, q.order = q.order[0], q.order[1:]
			if _, ok := q.has[account]; !ok {
				continue // the other queue had it first
			}
			for i := range d.queues {
				delete(d.queues[i].has, account)
			}
			d.looking[account] = false
			return account, true
		}
	}
	return "", false
}

// Doubt marks an account's streams for another look, soon.
func (s *Streams) Doubt(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byAccount[account].n > 0 {
		s.doubts.add(revoked, account)
	}
}

// DoubtAll marks the streams of all accounts.
func (s *Streams) DoubtAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for account := range s.byAccount {
		s.doubts.add(everyone, account)
	}
}

// Follow marks the streams of all accounts when the rules are not those of last time.
func (s *Streams) Follow(rules *rule.Rules) {
	s.mu.Lock()
	same := s.doubts.rules == rules
	s.doubts.rules = rules
	s.mu.Unlock()
	if !same {
		s.DoubtAll()
	}
}

// NextInDoubt waits for an account whose streams must be looked at again, and hands it to somebody who looks,
// and then says so (Looked); ok is false when ctx has ended. Several may do that at a time.
func (s *Streams) NextInDoubt(ctx context.Context) (account string, ok bool) {
	for {
		s.mu.Lock()
		account, ok = s.doubts.next()
		s.mu.Unlock()
		if ok {
			s.doubts.wake() // perhaps there are more
			return account, true
		}
		select {
		case <-s.doubts.waiting:
		case <-ctx.Done():
			return "", false
		}
	}
}

// Looked says that an account was looked at. Where that failed, it is looked at again after the next sweep.
func (s *Streams) Looked(account string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.doubts.looking[account]
	delete(s.doubts.looking, account)
	switch {
	case s.byAccount[account].n == 0:
	case failed:
		s.doubts.failed[account] = struct{}{}
	case again:
		s.doubts.add(revoked, account)
	}
}

// due marks an account whose caller is due for another look, unless somebody looks at it already.
func (d *doubts) due(account string) {
	if _, looking := d.looking[account]; !looking {
		d.add(everyone, account)
	}
}

// retry marks the accounts that could not be looked at.
func (d *doubts) retry() {
	for account := range d.failed {
		d.add(revoked, account)
	}
	clear(d.failed)
}
