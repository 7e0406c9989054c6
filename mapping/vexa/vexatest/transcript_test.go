package vexatest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exchange is one recorded exchange: what was sent, and the lines that came back.
type exchange struct {
	section string
	name    string
	words   []string // the command, its quotes undone
	reply   string
}

func (e exchange) String() string { return e.section + " / " + e.name }

// scopeRow is one row of a recorded table: what a method and path answered to each kind of key.
type scopeRow struct {
	section string
	method  string
	path    string
	status  map[string]int // by the scopes of the key, or "no key"
}

// readTranscript reads testdata/<generation>.md.
func readTranscript(t *testing.T, generation string) (exchanges []exchange, rows []scopeRow) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", generation+".md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		parts := strings.Split("\n"+body, "\n### ")
		rows = append(rows, readTable(t, title, body)...)
		for _, part := range parts[1:] {
			name, _, _ := strings.Cut(part, "\n")
			_, block, _ := strings.Cut(part, "```\n")
			block, _, fenced := strings.Cut(block, "\n```")
			command, reply, _ := strings.Cut(block, "\n")
			if !fenced || !strings.HasPrefix(command, "$ ") {
				t.Fatalf("%s / %s: no exchange", title, name)
			}
			exchanges = append(exchanges, exchange{title, name, splitWords(command[2:]), reply})
		}
	}
	return exchanges, rows
}

func readTable(t *testing.T, section, text string) []scopeRow {
	t.Helper()
	var heads []string
	var rows []scopeRow
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		switch {
		case !strings.HasPrefix(line, "| "):
		case heads == nil:
			heads = cells[1:]
		default:
			row := scopeRow{section: section, status: make(map[string]int)}
			row.method, row.path, _ = strings.Cut(cells[0], " ")
			for i, head := range heads {
				row.status[head], _ = strconv.Atoi(cells[i+1])
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// splitWords splits a command as a shell does that knows only single quotes.
func splitWords(command string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(command, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}

// curl is a request that curl 7.88 was asked to make.
type curl struct {
	method   string
	port     string
	target   string
	from     string // local address
	head     bool
	http10   bool
	headers  []string // as curl sends them, in order
	body     string
	chunked  bool
	expect   bool
	hasBody  bool
	basic    string
	hostName string
}

func parseCurl(words []string) (curl, error) {
	c := curl{method: "GET"}
	for i := 1; i < len(words); i++ {
		next := func() string { i++; return words[i] }
		switch w := words[i]; w {
		case "-i", "-N", "--path-as-is", "--raw":
		case "-o":
			next()
		case "-I":
			c.method, c.head = "HEAD", true
		case "--http1.0":
			c.http10 = true
		case "--interface":
			c.from = next()
		case "-X":
			c.method = next()
		case "-H":
			c.addHeader(next())
		case "-u":
			c.basic = next()
		case "-d", "--data-binary":
			c.body, c.hasBody = next(), true
		default:
			rest, ok := strings.CutPrefix(w, "http://127.0.0.1:")
			if !ok {
				return c, fmt.Errorf("curl: what is %q?", w)
			}
			c.port, c.target = rest[:5], rest[5:]
		}
	}
	return c, nil
}

func (c *curl) addHeader(h string) {
	name, value, _ := strings.Cut(h, ":")
	switch {
	case strings.HasSuffix(h, ";"):
		h = strings.TrimSuffix(h, ";") + ":"
	case strings.EqualFold(name, "Host"):
		c.hostName = strings.TrimSpace(value)
		return
	case strings.EqualFold(name, "Transfer-Encoding"):
		c.chunked = true
	case strings.EqualFold(name, "Expect"):
		c.expect = true
	}
	c.headers = append(c.headers, h)
}

func (c curl) has(name string) bool {
	for _, h := range c.headers {
		if n, _, _ := strings.Cut(h, ":"); strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
