package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/store"
)

const (
	replicaBeat = 5 * time.Second // how often each says that it lives

	// ReplicaAlive is how long a replica that says nothing more counts as alive. One that stops says so.
	ReplicaAlive = time.Minute

	// differenceDue is how long replicas may differ: a mounted secret reaches them within a minute or so.
	differenceDue = time.Minute
)

// Replica is what a replica runs. It is shown to operators alone, and holds no secret: the keys are
// fingerprints.
type Replica struct {
	Name  string   `json:"name"` // <host>:<process>
	Build string   `json:"build"`
	Rules string   `json:"rules"` // a hash of them: equal where they are
	Keys  []string `json:"keys"`  // of its key ring, the one that seals first
}

// LiveReplicas returns what the replicas run that live.
func LiveReplicas(ctx context.Context, s *store.Store) (all []Replica, err error) {
	others, err := s.Replicas(ctx, time.Now().Add(-ReplicaAlive))
	if err != nil {
		return nil, err
	}
	for _, one := range others {
		var r Replica
		if err := json.Unmarshal([]byte(one.Runs), &r); err != nil {
			return nil, fmt.Errorf("read what the replica %s runs: %w", one.Holder, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// replicas tells the others what this one runs, and hears what they do.
type replicas struct {
	store *store.Store
	self  func() Replica
	log   *slog.Logger
	now   func() time.Time
	news  chan struct{} // something changed here

	mu      sync.Mutex
	live    []Replica
	differs string // in what; "": in nothing
	since   time.Time
}

func newReplicas(s *store.Store, self func() Replica, log *slog.Logger) *replicas {
	return &replicas{store: s, self: self, log: log, now: time.Now, news: make(chan struct{}, 1)}
}

// replicaName names this process to operators.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// run keeps telling and hearing until ctx is done.
func (r *replicas) run(ctx context.Context) error {
	beat := time.NewTicker(replicaBeat)
	defer beat.Stop()
	for {
		if err := r.meet(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("other replicas not heard of; will be retried", "error", err)
		}
		select {
		case <-ctx.Done():
			if err := r.store.Leave(context.WithoutCancel(ctx)); err != nil {
				r.log.Debug("not said that this replica stops; it counts as alive for a minute", "error", err)
			}
			return nil
		case <-beat.C:
		case <-r.news:
		}
	}
}

// changed has the others told at once.
func (r *replicas) changed() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// meet tells the others what runs here, and hears what they run.
func (r *replicas) meet(ctx context.Context) error {
	self := r.self()
	runs, err := json.Marshal(self)
	if err != nil {
		return err
	}
	if err := r.store.Announce(ctx, string(runs)); err != nil {
		return err
	}
	live, err := LiveReplicas(ctx, r.store)
	if err != nil {
		return err
	}
	r.compare(self, live)
	return nil
}

// compare remembers since when which difference lasts. A key that this ring lacks is said once, at once: what
// it seals cannot be opened here.
func (r *replicas) compare(self Replica, live []Replica) {
	differs := ""
	for _, other := range live {
		if found := difference(self, other); found != "" {
			differs = found
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = live
	if differs == r.differs {
		return
	}
	if r.differs == "" {
		r.since = r.now()
	}
	r.differs = differs
	if differs != "" {
		r.log.Warn("replicas differ", "difference", differs)
	} else {
		r.log.Info("replicas agree again")
	}
}

// difference says in what another replica differs from this one; "" if in nothing that matters. Which key
// seals does not, where both open what either seals.
func difference(self, other Replica) string {
	for _, pair := range [][2]Replica{{self, other}, {other, self}} {
		// A replica that says of no key that it has it is of another release, or nobody knows what.
		if lacks, has := pair[0], pair[1]; len(has.Keys) > 0 && !slices.Contains(lacks.Keys, has.Keys[0]) {
			return fmt.Sprintf("the key ring of %s (%s) lacks the key %s, with which %s seals", lacks.Name,
				strings.Join(lacks.Keys, ", "), has.Keys[0], has.Name)
		}
	}
	if self.Rules != other.Rules {
		return fmt.Sprintf("%s has the rules %s, and %s the rules %s", self.Name, self.Rules, other.Name,
			other.Rules)
	}
	if !keyring.SameKeys(self.Keys, other.Keys) {
		return fmt.Sprintf("the key ring of %s is %s, and that of %s is %s", self.Name,
			strings.Join(self.Keys, ", "), other.Name, strings.Join(other.Keys, ", "))
	}
	return ""
}

// agree is the check of readyz that the replicas do, or have not differed for long.
func (r *replicas) agree(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.differs == "" || r.now().Sub(r.since) <= differenceDue {
		return nil
	}
	return fmt.Errorf("for %s now %s", r.now().Sub(r.since).Round(time.Second), r.differs)
}

// shown is what readyz tells operators.
func (r *replicas) shown() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return map[string]any{"replica": r.self(), "replicas": slices.Clone(r.live)}
}
