package vexa

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ability is what a scope lets somebody do, in words, by the route table alone.
type Ability struct {
	Own    []string // what no other scope opens: "read and share transcripts"
	Shared []string // what another scope opens, too
}

// thing is what routes are about. Of several the first whose path begins a pattern counts.
type thing struct {
	path, name       string
	toRead, toChange []string // verbs
}

var things = []thing{
	{"/bots", "bots in meetings", []string{"see"}, []string{"send", "steer", "stop"}},
	{"/meetings", "meetings", []string{"read"}, []string{"plan", "change", "share", "delete"}},
	{"/transcripts", "transcripts", []string{"read"}, []string{"share"}},
	{"/recordings", "recordings", []string{"read"}, []string{"delete"}},
	{"/recording-config", "the recording settings", []string{"see"}, []string{"set"}},
	{"/user/webhook", "the webhook", []string{"see"}, []string{"set"}},
	{"/user/models", "the models in use", []string{"see"}, []string{"set"}},
	{"/user/transcription", "the transcription settings", []string{"see"}, []string{"set"}},
	{"/user/calendar", "calendars", []string{"see"}, []string{"connect", "sync", "remove"}},
	{"/calendar", "calendars", []string{"see"}, []string{"connect", "sync", "remove"}},
	{"/user", "the other settings", []string{"see"}, []string{"set"}},
	{"/agent", "Vexa’s agent", []string{"listen to"}, []string{"instruct"}},
	{"/api", "Vexa’s agent", []string{"listen to"}, []string{"instruct"}},
	{"/mcp", "Vexa’s MCP service", []string{"use"}, nil},
}

// Ability describes a scope. One that opens no route has nothing to it.
func (t *Table) Ability(scope string) Ability {
	own, shared := sentence{}, sentence{}
	for _, line := range t.Lines() {
		switch {
		case !slices.Contains(line.AnyOf, scope):
		case len(line.AnyOf) == 1:
			own.add(line)
		default:
			shared.add(line)
		}
	}
	return Ability{own.phrases(), shared.phrases()}
}

// Words are the ability in a line, and what goes beside it in a smaller one.
func (a Ability) Words() (words, more string) {
	if len(a.Own)+len(a.Shared) == 0 {
		return "Nothing by itself", "No address of Vexa’s opens with this scope alone"
	}
	words, more = strings.Join(a.Own, "; "), strings.Join(a.Shared, "; ")
	if words == "" {
		words, more = more, ""
	}
	if more != "" {
		more = "And, as with other scopes: " + more
	}
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:], more
}

// sentence collects what may be done to which thing, by the thing's name.
type sentence map[string]struct{ reads, changes bool }

func (s sentence) add(line Line) {
	name := ThingOf(line.Pattern)
	has := s[name]
	has.reads, has.changes = has.reads || line.Reads(), has.changes || line.Changes()
	s[name] = has
}

// ThingOf returns what a route is about, in words; empty where none are written.
func ThingOf(pattern string) string {
	i := slices.IndexFunc(things, func(t thing) bool { return strings.HasPrefix(pattern, t.path) })
	if i < 0 {
		return ""
	}
	return things[i].name
}

// phrases are the things in order, those of which the same may be done in one phrase.
func (s sentence) phrases() []string {
	var phrases []string
	said, before := map[string]bool{}, ""
	for _, t := range things {
		has, is := s[t.name]
		if !is || said[t.name] {
			continue
		}
		said[t.name] = true
		var verbs []string
		if has.reads {
			verbs = append(verbs, t.toRead...)
		}
		if has.changes {
			verbs = append(verbs, t.toChange...)
		}
		if doing := enumerate(verbs); doing != before {
			phrases, before = append(phrases, doing+" "+t.name), doing
		} else {
			phrases[len(phrases)-1] += ", " + t.name
		}
	}
	return phrases
}

func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
