package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"vexa-sso/config"
)

// S12: what strangers write into a log, in a value, a message or an error, is in one line and cannot move
// what stands around it, in either format; and in JSON it is still what they wrote.
func TestLogIsPrintable(t *testing.T) {
	t.Parallel()
	const stranger = "/a\u009b31m\u0085\u202e\u2066\u200f\u061c\x7f\x1b[2J\u2028\r\n\U000e0041\u00a0é漢\U0001f600\xff"
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := newLogger(config.Log{Format: format}, &out)
		log.Info("said "+stranger, "path", stranger, slog.Group("in", "a", stranger),
			"error", errors.New(stranger), "list", []string{stranger}, "any", struct{ A string }{stranger})
		line := out.String()
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%s: not one line: %q", format, line)
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if !unicode.IsPrint(r) {
				t.Errorf("%s: has %U: %q", format, r, line)
			}
		}
		if !strings.Contains(line, "é漢\U0001f600") {
			t.Errorf("%s: what can be read is not there: %s", format, line)
		}
		if format != "json" {
			continue
		}
		var read struct{ Path string }
		if err := json.Unmarshal(out.Bytes(), &read); err != nil ||
			read.Path != strings.ToValidUTF8(stranger, "\ufffd") {
			t.Errorf("read again: %q, %v", read.Path, err)
		}
	}
}

func BenchmarkLogLine(b *testing.B) {
	log := newLogger(config.Log{Format: "json"}, discard{})
	b.ReportAllocs()
	for b.Loop() {
		log.Info("request", "method", "GET", "path", "/meetings", "status", 200, "trace_id",
			"0123456789abcdef0123456789abcdef")
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
