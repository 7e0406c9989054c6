package mapping

import (
	"strings"
	"unicode/utf8"
)

// brief makes a text of somebody else's fit for one line.
func brief(text string) string {
	const most = 200
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}
