package rule

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Live holds the rules that are in force. It is safe for concurrent use; its zero value has no
// rules and refuses everybody.
type Live struct{ current atomic.Pointer[Rules] }

// Current returns the rules in force. A decision is made with one such value from beginning to end.
func (l *Live) Current() *Rules {
	if rules := l.current.Load(); rules != nil {
		return rules
	}
	return &Rules{}
}

// Replace puts other rules in force.
func (l *Live) Replace(rules *Rules) { l.current.Store(rules) }

// Reloader brings rules into force when they are good. Rules that are not change nothing: the old ones stay.
type Reloader struct {
	Live *Live
	Load func() ([]Rule, error) // reads the rules, wherever they are

	// Check adds to what Compile checks, for example that the providers exist. Optional.
	Check func(*Rules) []Problem

	// Swapped is called after other rules came into force, Failed after an attempt that changed nothing
	// because of an error. Both count, one call after the other: metrics are made from them, and grants
	// compared again. Optional.
	Swapped func(*Rules)
	Failed  func(error)

	Log *slog.Logger

	mu sync.Mutex // one reload at a time, so that an older reading never replaces a newer one
}

// Reload reads, checks and swaps. Its error, which it has logged, says everything that is wrong with
// the rules at once; errors.As finds each RuleProblem in it. Rules equal to those in force are no
// change. An empty list is an error: it is what a file looks like while it is being written, and would
// take everybody's access away.
func (r *Reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	rules, err := r.read()
	if err != nil {
		r.Log.Error("rules not reloaded, the old ones stay in force", "error", err)
		if r.Failed != nil {
			r.Failed(err)
		}
		return err
	}
	if rules.Generation() == r.Live.Current().Generation() {
		return nil
	}
	r.Live.Replace(rules)
	r.Log.Info("rules in force", "rules", len(rules.rules),
		"generation", fmt.Sprintf("%016x", rules.Generation()))
	if r.Swapped != nil {
		r.Swapped(rules)
	}
	return nil
}

func (r *Reloader) read() (*Rules, error) {
	given, err := r.Load()
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	if len(given) == 0 {
		return nil, errors.New("there are no rules; to lock everybody out, write one rule that denies")
	}
	rules, problems := Compile(given)
	if rules != nil && r.Check != nil {
		problems = r.Check(rules)
	}
	if len(problems) == 0 {
		return rules, nil
	}
	var all []error
	for _, p := range problems {
		all = append(all, p)
	}
	return nil, fmt.Errorf("check the rules: %w", errors.Join(all...))
}
