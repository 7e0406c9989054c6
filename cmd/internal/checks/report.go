package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json: see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string // empty: of the package
	Output  string
}

// report turns the events of go test -json back into the output of go test, and counts skipped tests.
type report struct {
	to       io.Writer
	packages map[string]*results
	skipped  map[string]int // number of tests, by reason
}

// results are the events of one package while its tests run.
type results struct {
	said  []event
	ended map[string]string // test to pass, fail or skip
}

func newReport(to io.Writer) *report {
	return &report{to: to, packages: map[string]*results{}, skipped: map[string]int{}}
}

func (r *report) take(e event) {
	p := r.packages[e.Package]
	if p == nil {
		p = &results{ended: map[string]string{}}
		r.packages[e.Package] = p
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.to, e.Output)
	case "output":
		p.said = append(p.said, e)
	case "pass", "fail", "skip":
		if e.Test == "" {
			p.print(r.to, e.Action == "fail")
			delete(r.packages, e.Package)
			return
		}
		if p.ended[e.Test] = e.Action; e.Action == "skip" {
			r.skipped[p.reason(e.Test)]++
		}
	}
}

// print prints what go test would: one line for a package that passes; for one that fails, the output of the
// tests that did not pass.
func (p *results) print(to io.Writer, failed bool) {
	for _, e := range p.said {
		verdict := strings.HasPrefix(e.Output, "ok ") || strings.HasPrefix(e.Output, "? ")
		well := p.ended[e.Test] == "pass" || p.ended[e.Test] == "skip"
		if e.Test == "" && verdict || failed && !well && !strings.HasPrefix(e.Output, "=== ") {
			fmt.Fprint(to, e.Output)
		}
	}
}

// saidAt matches a line of t.Log or t.Skip, with its position.
var saidAt = regexp.MustCompile(`^\s*\S+\.go:\d+: (.*)\n`)

// reason returns the reason of t.Skip.
func (p *results) reason(test string) string {
	for _, e := range slices.Backward(p.said) {
		if words := saidAt.FindStringSubmatch(e.Output); e.Test == test && words != nil {
			return words[1]
		}
	}
	return "no reason is given"
}

// end prints the skipped tests.
func (r *report) end() {
	if len(r.skipped) == 0 {
		return
	}
	fmt.Fprintln(r.to, "\nskipped (once something is installed, -count=1 looks again):")
	often := func(a, b string) int {
		return cmp.Or(cmp.Compare(r.skipped[b], r.skipped[a]), strings.Compare(a, b))
	}
	for _, reason := range slices.SortedFunc(maps.Keys(r.skipped), often) {
		s := "s"
		if r.skipped[reason] == 1 {
			s = ""
		}
		fmt.Fprintf(r.to, "%4d test%s: %s\n", r.skipped[reason], s, reason)
	}
}
