package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// promises is how many promises there are, S1 and on.
const promises = 18

const promisesPage = "deploy/docs/promises.md"

var (
	promiseHeading = regexp.MustCompile(`(?m)^## S(\d+)\. `)
	promiseCited   = regexp.MustCompile(`\bS(\d{1,2})\b`) // and not S256
	pitfallRow     = regexp.MustCompile(`(?m)^\| ([A-GV]\d+) \|.*\| (.*) \|$`)
	pitfallTable   = regexp.MustCompile(`(?m)^var pitfallRows = .*`)
	pitfallCount   = regexp.MustCompile(`"([A-Z])": (\d+)`)
	testCited      = regexp.MustCompile("`([\\w-]+):\\s+((?:Test|Fuzz|Benchmark|Example)\\w*)`")
	testDeclared   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
)

// Every test that the page of promises names is where the page says that it is.
func TestPromisesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	tests, homes := map[string]bool{}, map[string]string{}
	for file, text := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		dir := path.Dir(file)
		name := path.Base(dir)
		if other, taken := homes[name]; taken && other != dir {
			t.Errorf("%s and %s: the page would call both %s", other, dir, name)
		}
		homes[name] = dir
		for _, declared := range testDeclared.FindAllStringSubmatch(text, -1) {
			tests[name+": "+declared[1]] = true
		}
	}
	cited := testCited.FindAllStringSubmatch(treeFile(t, promisesPage), -1)
	for _, c := range cited {
		if name := c[1] + ": " + c[2]; !tests[name] && c[1] != "package" { // how the page explains itself
			t.Errorf("there is no test %s", name)
		}
	}
	if len(cited) < promises {
		t.Errorf("the page names %d tests", len(cited))
	}
}

// The page has every promise and every pitfall, in order, and no other; each pitfall names its tests, or says
// that there is none.
func TestPromisesAreComplete(t *testing.T) {
	t.Parallel()
	page := treeFile(t, promisesPage)
	headings := promiseHeading.FindAllStringSubmatch(page, -1)
	for i, heading := range headings {
		if heading[1] != strconv.Itoa(i+1) {
			t.Errorf("S%s stands where S%d should", heading[1], i+1)
		}
	}
	if len(headings) != promises {
		t.Errorf("the page has %d promises, want %d", len(headings), promises)
	}

	rows := map[string]string{}
	for _, row := range pitfallRow.FindAllStringSubmatch(page, -1) {
		if _, twice := rows[row[1]]; twice {
			t.Errorf("%s has two rows", row[1])
		}
		if rows[row[1]] = row[2]; row[2] != "no test yet" && !testCited.MatchString(row[2]) {
			t.Errorf("%s names no test, and does not say so: %s", row[1], row[2])
		}
	}
	table := pitfallTable.FindString(treeFile(t, "proxy/pitfalls_test.go"))
	letters := pitfallCount.FindAllStringSubmatch(table, -1)
	if len(letters) == 0 {
		t.Error("proxy/pitfalls_test.go does not say how many pitfalls there are")
	}
	for _, letter := range letters {
		count, err := strconv.Atoi(letter[2])
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= count; i++ {
			id := letter[1] + strconv.Itoa(i)
			if _, there := rows[id]; !there {
				t.Errorf("%s has no row", id)
			}
			delete(rows, id)
		}
	}
	for id := range rows {
		t.Errorf("%s is no pitfall of proxy/pitfalls_test.go", id)
	}
}

// What the sources cite as a promise is one.
func TestOnlyPromisesAreCited(t *testing.T) {
	t.Parallel()
	for file, text := range goFiles(t) {
		for _, cited := range promiseCited.FindAllStringSubmatch(text, -1) {
			if n, err := strconv.Atoi(cited[1]); err != nil || n < 1 || n > promises {
				t.Errorf("%s cites %s", file, cited[0])
			}
		}
	}
}

// treeFile reads a file by its path from the root of the tree.
func treeFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goFiles reads all Go files of the tree, by their paths from its root.
func goFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
