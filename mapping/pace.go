package mapping

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// pace is how the reconciler in the background goes through the accounts: from where it stopped, in whichever
// process that was; spread, so that Vexa is not asked about everybody at once; and with those first who have
// just got a key, for it is there that a crash may have left a token that nobody knows (S6).
type pace struct {
	interval time.Duration
	pass     passNote
	urgent   time.Time // when those with new keys were last looked at
	page     time.Time // when this page began
}

// passNote is what the store keeps of the pass that is under way, and of the last.
type passNote struct {
	Began    time.Time `json:"began"`    // the pass that is under way; zero: none is
	Place    Place     `json:"place"`    // behind whom it stands
	Accounts int       `json:"accounts"` // that it has come by
	Last     time.Time `json:"last"`     // when the last began that came to its end
	Size     int       `json:"size"`     // how many accounts that had
}

const passName = "reconcile" // the name of the note

func readPass(tx Tx) (note passNote, err error) {
	text, err := tx.Note(passName)
	if err != nil || text == "" {
		return note, err
	}
	if json.Unmarshal([]byte(text), &note) != nil {
		return passNote{}, nil // another version's: from the beginning
	}
	return note, nil
}

// resume returns where the walk begins.
func (r *reconciliation) resume(ctx context.Context) (at Place, err error) {
	if r.pace == nil {
		return Place{}, nil
	}
	p := r.pace
	err = r.store.View(ctx, func(tx Tx) error {
		p.pass, err = readPass(tx)
		return err
	})
	if err != nil {
		return Place{}, err
	}
	p.page = r.now()
	if p.pass.Began.IsZero() {
		p.pass.Began = r.now()
		p.urgent = r.now() // all will be looked at now
		return Place{}, r.save(ctx)
	}
	return p.pass.Place, r.lookAtRecent(ctx)
}

// keep notes how far the walk has come, and waits until the next page is due.
func (r *reconciliation) keep(ctx context.Context, at Place, accounts int) error {
	p := r.pace
	if p == nil {
		return nil
	}
	p.pass.Place, p.pass.Accounts = at, p.pass.Accounts+accounts
	if err := r.save(ctx); err != nil {
		return err
	}
	if r.now().Sub(p.urgent) >= p.interval {
		if err := r.clearStaleIntents(ctx); err != nil {
			return err
		}
		if err := r.lookAtRecent(ctx); err != nil {
			return err
		}
	}
	if rest := p.share() - r.now().Sub(p.page); rest > 0 && accounts == comparePage {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.after(rest):
		}
	}
	p.page = r.now()
	return nil
}

// A pass begins at most three quarters and a tenth of an interval after the one before (Run looks that
// often), and is spread over less than the rest: so nobody waits for longer than an interval, unless Vexa
// takes longer to answer for all.
func (p passNote) due(now time.Time, interval time.Duration) bool {
	return !p.Began.IsZero() || now.Sub(p.Last) >= interval*3/4
}

const reconcileLooks = 10 // in an interval

// share is how long a page may take: by the size of the last pass, or of this one where it is larger already.
// The first goes as fast as Vexa answers.
func (p *pace) share() time.Duration {
	if p.pass.Size == 0 {
		return 0
	}
	return p.interval * 15 / 100 / time.Duration(max(p.pass.Size, p.pass.Accounts)/comparePage+1)
}

// finish notes that the pass has come to its end.
func (r *reconciliation) finish(ctx context.Context) error {
	if r.pace == nil {
		return nil
	}
	pass := &r.pace.pass
	*pass = passNote{Last: pass.Began, Size: pass.Accounts}
	return r.save(ctx)
}

// save writes the note, while the lease is ours.
func (r *reconciliation) save(ctx context.Context) error {
	text, err := json.Marshal(r.pace.pass)
	if err != nil {
		return err
	}
	return r.change(ctx, "note how far the comparison with Vexa has come", func(c *change) error {
		if err := c.CheckLease(r.lease); err != nil {
			return err
		}
		return c.PutNote(passName, string(text))
	})
}

// lookAtRecent compares the accounts whose keys were made of late.
func (r *reconciliation) lookAtRecent(ctx context.Context) error {
	since := r.now().Add(-recentlyMade * r.pace.interval)
	r.pace.urgent = r.now()
	recent := func(tx Tx, at Place) ([]Key, error) {
		if at.At.IsZero() {
			at = Place{At: since}
		}
		return tx.KeysAfter(KeyActive, at, comparePage)
	}
	answers := true
	return eachPage(ctx, r.store, recent, placeOfKey, func(page []Key) error {
		if !answers {
			return nil
		}
		var ids []string
		for _, key := range page {
			ids = append(ids, key.AccountID)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		var accounts []Account
		err := r.store.View(ctx, func(tx Tx) (err error) {
			accounts, err = tx.AccountsOf(ids)
			return err
		})
		if err != nil {
			return err
		}
		answers, err = r.compare(ctx, accounts)
		return err
	})
}

// pass reads how far the comparison with Vexa has come.
func (ks *vexaKeys) pass(ctx context.Context) (note passNote, err error) {
	err = ks.store.View(ctx, func(tx Tx) error {
		note, err = readPass(tx)
		return err
	})
	if err != nil {
		return passNote{}, asError(fmt.Errorf("look how far the comparison with Vexa has come: %w", err))
	}
	return note, nil
}

// since is from when on everybody is known to have been compared: when the last whole pass began.
func (p passNote) since() time.Time {
	if p.Last.IsZero() {
		return p.Began
	}
	return p.Last
}
