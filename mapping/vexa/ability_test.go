package vexa_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa"
)

// What is said of a scope is what the route table opens with it: each thing with the verbs of the methods
// that it has, and nothing for a scope without routes.
func TestAbilitiesComeFromTheTable(t *testing.T) {
	t.Parallel()
	table := vexa.Routes(vexa.Gen012)
	tx := table.Ability("tx")
	if own := strings.Join(tx.Own, "; "); own != "read, plan, change, share and delete meetings; "+
		"read and share transcripts" {
		t.Errorf("tx alone: %s", own)
	}
	if !slices.Contains(tx.Shared, "read recordings") {
		t.Errorf("tx among others: %q", tx.Shared)
	}
	if bot := table.Ability("bot"); !slices.Contains(bot.Own, "delete recordings") {
		t.Errorf("bot: %q", bot.Own)
	}
	for _, generation := range []string{vexa.Gen012, vexa.Gen010} {
		if a := vexa.Routes(generation).Ability("browser"); len(a.Own)+len(a.Shared) > 0 {
			t.Errorf("%s: browser opens %+v", generation, a)
		}
		if words, _ := vexa.Routes(generation).Ability("browser").Words(); words != "Nothing by itself" {
			t.Errorf("%s: browser is told as %q", generation, words)
		}
	}
}

// Every route of a scope has words: one that is added needs them, too.
func TestEveryRouteHasWords(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexa.Gen012, vexa.Gen010} {
		for _, line := range vexa.Routes(generation).Lines() {
			if !line.NoScope && vexa.ThingOf(line.Pattern) == "" {
				t.Errorf("%s: nothing says what %s is about", generation, line.Pattern)
			}
			if !line.Reads() && !line.Changes() {
				t.Errorf("%s: %v %s lets nothing be done", generation, line.Methods, line.Pattern)
			}
		}
	}
}

// README says of the scopes what the table says.
func TestReadmeTellsAbilities(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"bot", "tx", "browser"} {
		words, more := vexa.Routes(vexa.Gen012).Ability(scope).Words()
		row := "| `" + scope + "` | " + words + ". " + more + ". |"
		if !strings.Contains(string(readme), row) {
			t.Errorf("README does not have the line\n%s", row)
		}
	}
}
