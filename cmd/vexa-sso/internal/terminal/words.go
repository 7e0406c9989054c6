package terminal

import (
	"regexp"
	"strings"
	"unicode"
)

// plain returns a foreign text as it may be printed on a terminal: on one line, without control characters,
// of at most 200 characters.
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

// serverWords returns a server's error_description, without anything so long that it might be a secret which
// the server repeats.
func serverWords(text string) string { return plain(secretLike.ReplaceAllString(text, "…")) }
