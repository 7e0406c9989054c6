package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// figure is one thing measured.
type figure struct {
	name  string
	value float64
	unit  string
}

// quantity measures one or a few things at a site.
type quantity struct {
	name    string
	measure func(context.Context, *site) ([]figure, error)
}

var quantities = []quantity{
	{"cold", measureCold},
	{"signin", measureSignIn},
	{"parallel", measureParallel},
	{"coldunder", measureColdUnder},
	{"revocation", measureRevocation},
	{"dead", measureDead},
	{"storm", measureStorm},
	{"commands", measureCommands},
	{"lists", measureLists},
}

func measureCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("load measure", flag.ContinueOnError)
	programs := flags.String("programs", "",
		"`name=PATH,…` of the builds to measure in turns; the one called now is held to the laws")
	accounts := flags.Int("accounts", 10_000, "how many people there are")
	rounds := flags.Int("rounds", 1, "how often each is measured, in turns; the median is printed")
	only := flags.String("only", "", "`names` of quantities, with commas; default: all")
	replicas := flags.Int("replicas", 2, "how many of each build run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := newPostgres()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.remove()) }()
	if err := server.create(ctx); err != nil {
		return err
	}
	var names []string
	sites := map[string]*site{}
	for _, build := range strings.Split(*programs, ",") {
		name, path, ok := strings.Cut(build, "=")
		if !ok {
			return fmt.Errorf("-programs is name=PATH,…, not %q", *programs)
		}
		s, err := newSite(ctx, server, path, name, *accounts, *replicas)
		if err != nil {
			return err
		}
		defer s.close()
		names, sites[name] = append(names, name), s
	}
	for _, name := range names {
		if err := sites[name].settled(ctx); err != nil {
			return err
		}
	}
	medians, err := inTurns(ctx, names, sites, *rounds, *only)
	if err != nil {
		return err
	}
	broken := medians.broken("now", "before")
	for _, law := range broken {
		fmt.Println("BROKEN", law)
	}
	if len(broken) > 0 {
		return errors.New("laws do not hold")
	}
	return nil
}

// inTurns measures the sites one after another, so that what else goes on on the machine falls on all.
func inTurns(
	ctx context.Context, names []string, sites map[string]*site, rounds int, only string,
) (figures, error) {
	medians := figures{}
	for _, build := range names {
		medians[build] = map[string]float64{}
	}
	for _, q := range quantities {
		if only != "" && !slices.Contains(strings.Split(only, ","), q.name) {
			continue
		}
		var order []figure
		values := map[string]map[string][]float64{} // by figure, then build
		for range rounds {
			for _, build := range names {
				found, err := q.measure(ctx, sites[build])
				if err != nil {
					fmt.Printf("%s at %s: %v\n", q.name, build, err)
				}
				for _, f := range found {
					if values[f.name] == nil {
						values[f.name] = map[string][]float64{}
						order = append(order, f)
					}
					values[f.name][build] = append(values[f.name][build], f.value)
				}
			}
		}
		for _, f := range order {
			line := fmt.Sprintf("%-60s", f.name)
			for _, build := range names {
				if all, ok := values[f.name][build]; ok {
					medians[build][f.name] = median(all)
					line += fmt.Sprintf(" %s=%.2f", build, median(all))
				}
			}
			fmt.Println(line, f.unit)
		}
	}
	return medians, ctx.Err()
}

func median[T int | float64 | time.Duration](values []T) T { return quantile(values, 0.5) }

// quantile is the value below which that share of all values is.
func quantile[T int | float64 | time.Duration](values []T, share float64) (none T) {
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
