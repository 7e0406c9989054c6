package proxy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vexa-sso/proxy/proxytest"
)

// pitfallRows is how many rows each table of known attacks (A to G) and of Vexa's traps (V) has.
var pitfallRows = map[string]int{"A": 13, "B": 12, "C": 12, "D": 12, "E": 13, "F": 9, "G": 8, "V": 17}

// Every known attack and trap has a test that names it, or stands in testdata/uncovered.txt with what it
// waits for. The list only shrinks: a row that is covered must go.
func TestEveryPitfallIsCoveredOrListed(t *testing.T) {
	t.Parallel()
	named := pitfallsNamedInTests(t)
	listed := map[string]bool{}
	text, err := os.ReadFile("testdata/uncovered.txt")
	proxytest.Must(t, err)
	for line := range strings.Lines(string(text)) {
		if id, why, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			if listed[id] = true; strings.TrimSpace(why) == "" {
				t.Errorf("uncovered.txt: %s does not say what it waits for", id)
			}
		}
	}
	for letter, n := range pitfallRows {
		for i := 1; i <= n; i++ {
			id := letter + itoa(i)
			switch {
			case named[id] == "" && !listed[id]:
				t.Errorf("%s has no test that names it", id)
			case named[id] != "" && listed[id]:
				t.Errorf("%s is tested in %s: take it off uncovered.txt", id, named[id])
			}
		}
	}
}

func itoa(i int) string {
	return strings.TrimLeft(string([]byte{byte('0' + i/10), byte('0' + i%10)}), "0")
}

var (
	pitfallMark = regexp.MustCompile(`(?://|(?:\{|^\s*)"|name: *"|t\.Run\(").*`)
	pitfallID   = regexp.MustCompile(`\b([A-GV]\d{1,2})\b`)
)

// pitfallsNamedInTests finds the ids in the comments and case names of all tests, and where.
func pitfallsNamedInTests(t *testing.T) map[string]string {
	t.Helper()
	named := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") ||
			strings.HasSuffix(path, "pitfalls_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			for _, id := range pitfallID.FindAllStringSubmatch(pitfallMark.FindString(line), -1) {
				named[id[1]] = path
			}
		}
		return nil
	})
	proxytest.Must(t, err)
	return named
}

// A header that only a trusted proxy may send is noticed, once, and not believed: either it is made up, or a
// proxy in front is not in trusted_proxies.
func TestForwardedForOfStrangersIsNoticed(t *testing.T) {
	t.Parallel()
	const warning = "X-Forwarded-For from an address that is not trusted"
	for trusted, want := range map[string]int{"": 1, "127.0.0.1": 0} {
		w := proxytest.Start(t, func(o *proxytest.Options) {
			if trusted != "" {
				o.Config.TrustedProxies = []string{trusted}
			}
		})
		b := w.Browser()
		b.Get("/sso/healthz")
		if strings.Contains(w.Logs.String(), warning) {
			t.Error("warned of nothing")
		}
		for range 5 {
			b.Get("/sso/healthz", "X-Forwarded-For", "192.0.2.7")
		}
		if n := strings.Count(w.Logs.String(), warning); n != want {
			t.Errorf("trusted %q: %d warnings, want %d", trusted, n, want)
		}
		w.Clock.Advance(time.Hour)
		b.Get("/sso/healthz", "X-Forwarded-For", "192.0.2.7")
		if n := strings.Count(w.Logs.String(), warning); n != 2*want {
			t.Errorf("trusted %q: %d warnings an hour later", trusted, n)
		}
	}
}
