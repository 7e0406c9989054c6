package main

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is how long a line of the tree's may be; a tab counts four.
const maxColumns = 110

// Lines fit beside each other on a screen. What cannot be broken may be longer: a string, and what stands in
// a comment as it is.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		may := unbreakable(text)
		for i, line := range strings.Split(string(text), "\n") {
			columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
			if columns > maxColumns && !may[i+1] {
				t.Errorf("%s:%d has %d columns", path, i+1, columns)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unbreakable are the lines of a file with a string that alone nearly fills one, or that are quoted in a
// comment.
func unbreakable(text []byte) map[int]bool {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		quoted := tok == token.COMMENT && strings.HasPrefix(literal, "//\t")
		long := tok == token.STRING && utf8.RuneCountInString(literal) > maxColumns/2
		if first := file.Line(pos); quoted || long {
			for i := range strings.Count(literal, "\n") + 1 {
				lines[first+i] = true
			}
		}
	}
}
