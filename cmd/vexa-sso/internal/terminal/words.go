package terminal

import (
	"regexp"
	"strings"
	"unicode"
)

// plain is what a stranger wrote, as it may be shown on a terminal: one line, nothing
// that steers, not without end.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return text
}

var secretLike = regexp.MustCompile(`\S{32,}`)

// serverWords is a server's own explanation, without anything so long that it might be a secret
// which the server repeats.
func serverWords(text string) string { return plain(secretLike.ReplaceAllString(text, "…")) }
