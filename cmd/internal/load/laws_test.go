package main

import (
	"slices"
	"testing"
)

func TestLawsOfFigures(t *testing.T) {
	const (
		dead       = "time to dead, quiet: worst"
		throughput = "sign-ins with a request, 64 in parallel: throughput"
	)
	for _, test := range []struct {
		name string
		figures
		broken []string
	}{
		{"nothing was measured", figures{}, nil},
		{"all holds", figures{
			"now": {dead: 400, throughput: 90, "cold look-up, quiet: p50": 4}, "before": {throughput: 30},
		}, nil},
		{"too late", figures{"now": {dead: 1200}}, []string{dead + " is 1200.00"}},
		{"hardly faster", figures{"now": {throughput: 45}, "before": {throughput: 30}}, []string{
			throughput + " / " + throughput + " is 1.50",
		}},
		{"the one before may be slow", figures{"before": {dead: 9000}}, nil},
		{"one of two", figures{
			"now": {"accounts list: memory": 65, "keys list: memory": 63},
		}, []string{"accounts list: memory is 65.00"}},
	} {
		if got := test.figures.broken("now", "before"); !slices.Equal(got, test.broken) {
			t.Errorf("%s: %q, want %q", test.name, got, test.broken)
		}
	}
}
