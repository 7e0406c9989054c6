package main

import (
	"fmt"
	"strings"
)

// figures are the medians of what was measured: by build, then name.
type figures map[string]map[string]float64

// law holds figures of the build under test to others of the same run, or to a promise.
type law struct {
	figure   string // or all whose name begins and ends like this, around a *
	of       string // what it is divided by; empty: nothing
	ofBefore bool   // of the build before
	most     float64
	least    float64
}

// laws are what measure fails by. Machines differ, so times are held to times of the same run, but for what
// we promise whatever the machine.
var laws = []law{
	{figure: "time to dead, *: worst", most: 1000},
	{figure: "cold look-up, 20 revocations/s: p50", of: "cold look-up, quiet: p50", most: 2},
	{figure: "cold look-up, 100 revocations/s: p50", of: "cold look-up, quiet: p50", most: 2},
	{
		figure: "cold look-up, 10 ms database, 100 revocations/s: p50",
		of:     "cold look-up, 10 ms database: p50", most: 2,
	},
	{figure: "cold look-up, *: failed", most: 0},
	{figure: "9:00 storm: cold p50 during", of: "9:00 storm: cold p50 before", most: 2},
	{figure: "cold request, *: round trips", most: 3},
	{figure: "sign-ins with a request, *: transactions each", most: 6.5},
	{figure: "sign-ins with a request, *: aborts each", most: 0.01},
	{figure: "sign-ins with a request, *: failed", most: 0},
	{
		figure: "sign-ins with a request, 64 in parallel: throughput", ofBefore: true,
		of: "sign-ins with a request, 64 in parallel: throughput", least: 2,
	},
	{
		figure: "1,000 revocations/s, 20000 sessions cached: share of a core",
		of:     "1,000 revocations/s, 1000 sessions cached: share of a core", most: 3,
	},
	{figure: "accounts *: failed", most: 0},
	{figure: "explain --email: failed", most: 0},
	{figure: "* list: memory", most: 64},
}

// broken says which laws do not hold for a build; before is the other one, if there is one. What was not
// measured breaks none.
func (f figures) broken(now, before string) (broken []string) {
	for _, l := range laws {
		first, last, many := strings.Cut(l.figure, "*")
		for name, value := range f[now] {
			if many && (!strings.HasPrefix(name, first) || !strings.HasSuffix(name, last)) ||
				!many && name != l.figure {
				continue
			}
			if l.of != "" {
				build := now
				if l.ofBefore {
					build = before
				}
				by, ok := f[build][l.of]
				if !ok || by == 0 {
					continue
				}
				value /= by
				name += " / " + l.of
			}
			if value > l.most && l.least == 0 || value < l.least {
				broken = append(broken, fmt.Sprintf("%s is %.2f", name, value))
			}
		}
	}
	return broken
}
