package rule

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A claim that rules may not read says instead of which field it would be read, and why that matters. Its
// names are in lower case and cover every case.
var closedClaims = map[string]closedClaim{
	"email":              unproven,
	"emails":             unproven,
	"mail":               unproven,
	"upn":                unproven,
	"preferred_username": unproven,
	"unique_name":        unproven,
	"groups": {"may be only a part of the groups", "use identity.groups (match.groups), which knows " +
		"whether the list is complete"},
}

type closedClaim struct{ why, remedy string }

var unproven = closedClaim{"is an address that nobody has proven: whoever may edit it in any " +
	"directory matches", "use identity.email (match.emails, match.domains), which is empty unless proven"}

// closed says whether rules may not read the claim of this name.
func closed(name string) (closedClaim, bool) {
	c, ok := closedClaims[strings.ToLower(name)]
	return c, ok
}

// openClaims returns the claims that expressions see. Compile refuses an expression that names a closed
// claim; that the claim is not there either stops the ones that compute the name.
func openClaims(claims map[string]any) map[string]any {
	open := make(map[string]any, len(claims))
	for name, claim := range claims {
		if _, is := closed(name); !is {
			open[name] = visibleValue(claim)
		}
	}
	return open
}

// claimTexts returns the values of a claim as a rule spells them. Objects and null have none.
func claimTexts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case json.Number:
		if text, ok := plainNumber(v); ok {
			return []string{text}
		}
		return []string{v.String()}
	case int, int64:
		return []string{fmt.Sprint(v)}
	case []string:
		return v
	case []any:
		var texts []string
		for _, one := range v {
			if _, nested := one.([]any); !nested {
				texts = append(texts, claimTexts(one)...)
			}
		}
		return texts
	}
	return nil
}
