package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// table prints rows in aligned columns under a heading, some at a time, so that a long list needs no more
// memory than a short one: a column may get wider further down. Control characters are removed from cells,
// which hold what providers and people wrote, so that none steers a terminal.
type table struct {
	w      io.Writer
	rows   [][]string
	widths []int
}

// tableRows is how many rows are aligned together.
const tableRows = 500

func newTable(w io.Writer, heading ...string) *table {
	t := &table{w: w}
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
	t.rows = append(t.rows, cells)
	if len(t.rows) == tableRows {
		t.print() // the last print returns the error: it fails as well
	}
}

// print writes the rows that there are.
func (t *table) print() error {
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", t.widths[i]+2-utf8.RuneCountInString(cell)))
			}
		}
		text.WriteByte('\n')
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, text.String())
	return err
}

// printList prints a list as it comes: as a JSON array, or as a table with that heading.
func printList[T, V any](
	w io.Writer, asJSON bool, items iter.Seq2[T, error], view func(T) V,
	heading []string, row func(V) []string,
) error {
	if asJSON {
		return streamJSON(w, items, view)
	}
	t := newTable(w, heading...)
	for item, err := range items {
		if err != nil {
			return errors.Join(t.print(), err)
		}
		t.row(row(view(item))...)
	}
	return t.print()
}

// streamJSON prints items as an indented JSON array, as printJSON would, one after another.
func streamJSON[T, V any](w io.Writer, items iter.Seq2[T, error], view func(T) V) error {
	out := bufio.NewWriter(w)
	before := "[\n  "
	for item, err := range items {
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		text, err := jsonOf(view(item))
		if err != nil {
			return err
		}
		out.WriteString(before) // Flush returns the error
		out.Write(text)
		before = ",\n  "
	}
	if before[0] == '[' {
		out.WriteString("[]\n")
	} else {
		out.WriteString("\n]\n")
	}
	return out.Flush()
}

func jsonOf(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("  ", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

// printRows prints a table of views that are in memory already.
func printRows[V any](w io.Writer, heading []string, views []V, row func(V) []string) error {
	t := newTable(w, heading...)
	for _, v := range views {
		t.row(row(v)...)
	}
	return t.print()
}

// flat yields one by one what each calls do with, some at a time.
func flat[T any](each func(do func([]T) error) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		enough := errors.New("no more")
		err := each(func(page []T) error {
			for _, item := range page {
				if !yield(item, nil) {
					return enough
				}
			}
			return nil
		})
		if err != nil && err != enough {
			var none T
			yield(none, err)
		}
	}
}

// listed yields the items of a list that is in memory already.
func listed[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

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
