package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
)

const (
	followEvery = 500 * time.Millisecond
	// how much later than its time an event may be committed: clocks and transactions differ
	followOverlap = 10 * time.Second
)

func newAudit() *cobra.Command {
	var d adminCommand
	var filter store.EventFilter
	var since string
	var follow bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show what happened, who did it and why",
		Long: `Show what happened, the latest last: sign-ins and refusals, accounts, keys, sessions,
and what admins did. Who was refused without an account is named by subject. No event carries a
secret. --json prints one JSON object a line, for other programs; --follow goes on with what happens
from now on.

  vexa-sso audit --account ada@acme.example --since 24h
  vexa-sso audit --event sign_in_refused --json | jq -r .reason

What happens is one of: sign_in, sign_in_refused, sign_out, account_bound, account_pending,
account_approved, account_suspended, account_resumed, key_minted, key_revoke_asked, key_revoked,
key_rotate_asked, session_ended, token_created, token_revoked, token_expired, token_reused,
tool_authorized, tool_denied, code_reused, grant_changed, access_ended, grant_over, provider_logout,
account_pinned, account_unpinned, account_rekeyed, bots_blocked, bots_restored,
foreign_token_deleted, activity_ended, not_ended, native_key_used.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) (err error) {
		if filter.Since, err = parseSince(since, time.Now()); err != nil {
			return usageError{err}
		}
		if filter.Account != "" {
			acc, err := find(cmd.Context(), a, filter.Account)
			if err != nil {
				return err
			}
			filter.Account = acc.ID
		}
		show := printEvent
		if d.asJSON {
			show = func(w io.Writer, e mapping.Event) error { return json.NewEncoder(w).Encode(e) }
		}
		l := &logReader{store: a.Store, filter: filter, show: func(e mapping.Event) error {
			return show(cmd.OutOrStdout(), e)
		}, seen: map[string]time.Time{}}
		if err := l.read(cmd.Context()); err != nil || !follow {
			return err
		}
		return l.follow(cmd.Context())
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&filter.Account, "account", "",
		"only of this `account`: an id, a subject or an email")
	cmd.Flags().StringVar(&filter.Event, "event", "",
		"only this `kind` of event, like sign_in or key_revoked")
	cmd.Flags().StringVar(&since, "since", "",
		"only what is younger: a `duration` like 24h,\nor a time like 2026-11-23T09:00:00Z")
	cmd.Flags().IntVar(&filter.Limit, "limit", 100, "at most so many, the latest")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens from now on")
	return cmd
}

// parseSince parses --since: a duration back from now, or a time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if back, err := time.ParseDuration(text); err == nil && back > 0 {
		return now.Add(-back), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{},
			fmt.Errorf("--since is a duration like 24h or a time like 2026-11-23T09:00:00Z, not %q", text)
	}
	return at, nil
}

// logReader shows each audit event once, in order.
type logReader struct {
	store  *store.Store
	filter store.EventFilter
	show   func(mapping.Event) error

	latest time.Time
	seen   map[string]time.Time // ids of shown events, within followOverlap
}

func (l *logReader) read(ctx context.Context) error {
	events, err := l.store.Events(ctx, l.filter)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) { // the store gives the latest first
		if _, shown := l.seen[e.ID]; shown {
			continue
		}
		if err := l.show(e); err != nil {
			return err
		}
		l.seen[e.ID] = e.At
		if e.At.After(l.latest) {
			l.latest = e.At
		}
	}
	return nil
}

// follow polls until ctx is done, and goes on when the store was away.
func (l *logReader) follow(ctx context.Context) error {
	if err := l.markShown(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	l.filter.Limit = 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		since := l.latest.Add(-followOverlap)
		if since.After(l.filter.Since) {
			l.filter.Since = since
		}
		for id, at := range l.seen {
			if at.Before(l.filter.Since) {
				delete(l.seen, id)
			}
		}
		if err := l.read(ctx); err != nil && ctx.Err() == nil &&
			!errors.Is(err, mapping.ErrStoreUnavailable) {
			return err
		}
	}
}

// markShown counts as shown the events that --limit left out within followOverlap.
func (l *logReader) markShown(ctx context.Context) error {
	if l.latest.IsZero() {
		l.latest = time.Now()
	}
	all := l.filter
	all.Limit = 0
	all.Since = l.latest.Add(-followOverlap)
	events, err := l.store.Events(ctx, all)
	for _, e := range events {
		if !e.At.After(l.latest) {
			l.seen[e.ID] = e.At
		}
	}
	return err
}

// printEvent prints an event on one line: when, what, of whom, by whom, why.
func printEvent(w io.Writer, e mapping.Event) error {
	line := []string{moment(e.At), fmt.Sprintf("%-17s", e.Event)}
	for _, part := range [][2]string{
		{"account", e.Account},
		{"by", e.Actor},
		{"provider", e.Provider},
		{"credential", e.CredentialID},
		{"from", e.Address},
		{"rules", strings.Join(e.Rules, ",")},
		{"vexa_user", number(e.VexaUserID)},
		{"vexa_token", number(e.VexaTokenID)},
	} {
		if part[1] != "" {
			line = append(line, part[0]+"="+part[1])
		}
	}
	if e.Reason != "" {
		line = append(line, "- "+e.Reason)
	}
	_, err := fmt.Fprintln(w, plain(strings.Join(line, "  ")))
	return err
}
