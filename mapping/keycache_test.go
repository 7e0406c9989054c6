package mapping

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping/cache"
	"vexa-sso/mapping/rule"
)

// S5: a key that was read before something of its account was forgotten is not kept, also when that is the
// first that this replica has of the account; what is forgotten of others keeps nobody's from being kept.
func TestKeyReadBeforeItWasForgottenIsNotKept(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	k := &openKey{id: "key_1", account: "ada", scopes: "bot", expires: now.Add(time.Hour)}
	for name, c := range map[string]struct {
		forgets func(*keyCache)
		kept    bool
	}{
		"nothing":             {func(*keyCache) {}, true},
		"another's":           {func(c *keyCache) { c.forgetAccount("tim") }, true},
		"another's one key":   {func(c *keyCache) { c.forgetKey("tim", "key_2") }, true},
		"one that is unknown": {func(c *keyCache) { c.forgetStray("key_1") }, true},
		"the account's":       {func(c *keyCache) { c.forgetAccount("ada") }, false},
		"this one":            {func(c *keyCache) { c.forgetKey("ada", "key_1") }, false},
		"everything":          {(*keyCache).forgetAll, false},
	} {
		keys := newKeyCache(10)
		began := keys.drops.Last()
		c.forgets(keys) // while it is read
		keys.put(k, began)
		if _, kept := keys.get("ada", "bot", now); kept != c.kept {
			t.Errorf("%s is forgotten: kept is %v", name, kept)
		}
		keys.put(k, keys.drops.Last())
		if _, kept := keys.get("ada", "bot", now); !kept {
			t.Errorf("%s is forgotten: the next is not kept", name)
		}
		c.forgets(keys)
		if _, kept := keys.get("ada", "bot", now); kept != c.kept && name != "one that is unknown" {
			t.Errorf("%s is forgotten afterwards: kept is %v", name, kept)
		}
	}
}

// S5: whatever is kept, driven out and forgotten, in whatever order: no key is given out that was forgotten
// after it was read.
func TestForgottenKeysAreNotGivenOut(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	accounts := rapid.SampledFrom([]string{"ada", "tim", "eve"})
	rapid.Check(t, func(rt *rapid.T) {
		keys := newKeyCache(rapid.IntRange(1, 6).Draw(rt, "room for"))
		reads := map[*openKey]int64{} // and the number of the last forgetting before
		forgotten, n := map[string]int{}, 0
		was := map[*openKey]int{}
		rt.Repeat(map[string]func(*rapid.T){
			"read": func(rt *rapid.T) {
				n++
				k := &openKey{
					id: fmt.Sprint("key_", n), account: accounts.Draw(rt, "account"),
					scopes:  rule.Scopes(rapid.SampledFrom([]string{"bot", "tx"}).Draw(rt, "scopes")),
					expires: now.Add(time.Hour),
				}
				reads[k], was[k] = keys.drops.Last(), forgotten[k.account]
			},
			"put": func(*rapid.T) {
				for k, began := range reads {
					keys.put(k, began)
					delete(reads, k)
				}
			},
			"forget an account": func(rt *rapid.T) {
				account := accounts.Draw(rt, "account")
				forgotten[account]++
				keys.forgetAccount(account)
			},
			"forget all": func(*rapid.T) {
				for _, account := range []string{"ada", "tim", "eve"} {
					forgotten[account]++
				}
				keys.forgetAll()
			},
			"": func(rt *rapid.T) {
				for _, account := range []string{"ada", "tim", "eve"} {
					for _, scopes := range []rule.Scopes{"bot", "tx"} {
						k, ok := keys.get(account, scopes, now)
						stale := ok && was[k] != forgotten[account]
						if stale || ok && (k.account != account || k.scopes != scopes) {
							rt.Fatalf("%s is given out to %s with %s", k.id, account, scopes)
						}
					}
				}
			},
		})
	})
}

// An open key takes about what is said of it: there is room for as many as Config.MaxKeys says.
func TestKeysThatFit(t *testing.T) {
	t.Parallel()
	keys := newKeyCache(10)
	for i := range 11 {
		keys.put(&openKey{id: fmt.Sprint(i), account: fmt.Sprint(i)}, keys.drops.Last())
	}
	if n := len(keys.keys.Values()); n != 10 {
		t.Errorf("%d keys are kept", n)
	}
	if openKeySize+cache.EntryBytes > 1<<10 {
		t.Error("the comment on Config.MaxKeys is wrong")
	}
}
