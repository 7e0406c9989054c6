package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The help of audit names every kind of event that there is.
func TestAuditNamesItsEvents(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../mapping/*.go")
	if err != nil {
		t.Fatal(err)
	}
	help, kinds := newAudit().Long, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, kind := range regexp.MustCompile(`(?m)^(?:const |\t)Event\w+ += "(\w+)"`).
			FindAllSubmatch(text, -1) {
			kinds++
			if !regexp.MustCompile(`[ \n]` + string(kind[1]) + `[,.]`).MatchString(help) {
				t.Errorf("the help of audit lacks %s", kind[1])
			}
		}
	}
	if kinds < 30 {
		t.Errorf("%d kinds of events were found", kinds)
	}
}
