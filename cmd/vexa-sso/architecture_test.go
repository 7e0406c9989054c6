package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The pages for who works on the tree name only what is in it.
func TestPagesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	file := regexp.MustCompile("`((?:cmd|config|deploy|mapping|oidc|proxy)/[A-Za-z0-9_./-]+)`")
	for _, page := range []string{"architecture.md", "promises.md", "security.md"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/docs", page))
		if err != nil {
			t.Fatal(err)
		}
		found := file.FindAllStringSubmatch(string(text), -1)
		if page == "architecture.md" && len(found) < 60 {
			t.Errorf("%s: only %d paths found", page, len(found))
		}
		for _, m := range found {
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}
