package main

import (
	"context"
	"slices"
	"strings"
	"time"
)

// commandsOf runs a command for several people and returns the median, and how often it failed.
func commandsOf(ctx context.Context, s *site, name string, args func(i int) []string) []figure {
	var took []time.Duration
	failed := 0
	for range 7 {
		c, err := s.replicas[0].command(ctx, args(s.next())...)
		if err != nil {
			failed++
		}
		took = append(took, c.took)
	}
	return []figure{
		{name + ": p50", millis(median(took)), "ms"},
		{name + ": failed", float64(failed), ""},
	}
}

// measureCommands measures what an admin does about one person, as a process with its start.
func measureCommands(ctx context.Context, s *site) (all []figure, err error) {
	all = append(all, commandsOf(ctx, s, "config print (a start, without the store)",
		func(int) []string { return []string{"config", "print"} })...)
	for _, about := range [][]string{
		{"accounts", "show"},
		{"explain", "--email"},
		{"sessions", "list", "--account"},
		{"accounts", "suspend", "--reason", "load"},
	} {
		all = append(all, commandsOf(ctx, s, strings.Join(about, " "),
			func(i int) []string { return append(slices.Clone(about), s.person(i).email) })...)
	}
	return all, nil
}

// measureLists measures what lists everybody.
func measureLists(ctx context.Context, s *site) (all []figure, err error) {
	for _, list := range []string{"accounts", "sessions", "tokens", "keys"} {
		c, err := s.replicas[0].command(ctx, list, "list", "--json")
		if err != nil {
			all = append(all, figure{list + " list: failed", 1, ""})
			continue
		}
		all = append(
			all, figure{list + " list: took", millis(c.took), "ms"},
			figure{list + " list: wrote", float64(c.wrote) / (1 << 20), "MiB"},
			figure{list + " list: memory", float64(c.rss) / (1 << 20), "MiB"},
		)
	}
	return all, nil
}
