package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

// A build says which it is: what it was told, else the commit, and never that it does not
// know where that can be known.
func TestVersion(t *testing.T) {
	t.Parallel()
	noted := &debug.BuildInfo{
		Main: debug.Module{Version: "(devel)"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	for _, tc := range []struct {
		given string
		info  *debug.BuildInfo
		want  string
	}{
		{"v1.2.3-4-gabcdef0", noted, "v1.2.3-4-gabcdef0"},
		{"", noted, "0123456-dirty"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "unknown"},
	} {
		if got := buildOf(tc.given, tc.info).Version; got != tc.want {
			t.Errorf("%q: %s, want %s", tc.given, got, tc.want)
		}
	}
	var out, errs strings.Builder
	if code := execute(t.Context(), []string{"--version"}, &out, &errs); code != exitGood ||
		!strings.HasPrefix(out.String(), "vexa-sso ") || errs.Len() > 0 {
		t.Errorf("--version: %d %q %q", code, out.String(), errs.String())
	}
	if strings.Contains(out.String(), "devel") {
		t.Error(out.String())
	}
}
