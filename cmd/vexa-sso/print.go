package main

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table prints rows in aligned columns under a heading. Control characters are removed from cells, which hold
// what providers and people wrote, so that none steers a terminal.
type table struct {
	w *tabwriter.Writer
}

func newTable(w io.Writer, heading ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(heading) > 0 {
		t.row(heading...)
	}
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		if c = plain(c); c == "" {
			c = "-"
		}
		cells[i] = c
	}
	io.WriteString(t.w, strings.Join(cells, "\t")+"\n") // Flush returns the error
}

func (t *table) print() error { return t.w.Flush() }

// plain removes what is not printable; tabs and line breaks become spaces.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

// moment prints a time as RFC 3339 in UTC, to the second.
func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// number returns a number, or "" for 0.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// printJSON prints a value as indented JSON.
func printJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// each returns f of every item: never nil, so that JSON has [].
func each[T, U any](items []T, f func(T) U) []U {
	out := make([]U, 0, len(items))
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
}
