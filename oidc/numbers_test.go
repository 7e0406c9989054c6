package oidc

import (
	"encoding/json"
	"testing"
)

// A number in a claim is the one that the provider wrote, to its last digit, wherever it comes from and after
// it was stored.
func TestNumbersInClaimsAreExact(t *testing.T) { // S3
	t.Parallel()
	const employee = 9007199254740993 // 2^53 + 1
	f := newIDP(t)
	f.change(func() { f.userinfo = map[string]any{"sub": adaOkta, "name": "Ada Byron", "badge": employee} })
	p := f.okta(t, Config{})
	claims := but(f.oktaClaims(),
		map[string]any{"name": nil, "employee": employee, "all": []int{7, employee}})
	id := f.signedIn(t, p, claims).Identity
	stored, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	var read Identity
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]Identity{"proven": id, "stored and read": read} {
		all, _ := id.Claims["all"].([]any)
		if len(all) != 2 {
			t.Fatalf("%s: %v", name, id.Claims)
		}
		for what, number := range map[string]any{
			"ID token": id.Claims["employee"], "userinfo": id.Claims["badge"], "list": all[1],
		} {
			if number != json.Number("9007199254740993") {
				t.Errorf("%s, %s: %v (%[3]T)", name, what, number)
			}
		}
	}
}
