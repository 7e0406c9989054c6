package bridge

import (
	"fmt"
	"io"
	"log/slog"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"vexa-sso/config"
)

func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // config has checked it; info otherwise
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options)) // quotes what is not printable
	}
	return slog.New(slog.NewJSONHandler(printableJSON{w}, options))
}

// printableJSON writes JSON in which everything that is not printable is escaped. encoding/json leaves C1
// control characters and those that turn the direction of text as they are, and a log is read on terminals:
// a stranger could write there what nobody logged (CWE-117, CWE-150). Outside of strings JSON is ASCII, so
// each such character is in one, and its escape means the same.
type printableJSON struct{ w io.Writer }

func (p printableJSON) Write(line []byte) (int, error) {
	first := firstUnprintable(line)
	if first == len(line) {
		return p.w.Write(line)
	}
	escaped := append(make([]byte, 0, len(line)+64), line[:first]...)
	for rest := line[first:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case readable(r):
			escaped = append(escaped, rest[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	if _, err := p.w.Write(escaped); err != nil {
		return 0, err
	}
	return len(line), nil
}

// readable reports whether a character may stand in a line of the log as it is.
func readable(r rune) bool { return r == '\n' || unicode.IsPrint(r) }

// firstUnprintable returns where the first character is that must be escaped; the length where there is none.
func firstUnprintable(line []byte) int {
	for i := 0; i < len(line); {
		if c := line[i]; c < utf8.RuneSelf {
			if c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		if !unicode.IsPrint(r) {
			return i
		}
		i += size
	}
	return len(line)
}
