package mapping

import (
	"time"

	"vexa-sso/mapping/rule"
)

// neededSets are the scope sets of which an account may have keys: that of its grant, and what each of its
// tokens comes to within the grant. None when it is granted nothing.
func neededSets(granted rule.Scopes, tokens []Token, now time.Time) map[rule.Scopes]bool {
	needed := map[rule.Scopes]bool{}
	if granted == "" {
		return needed
	}
	needed[granted] = true
	for _, t := range tokens {
		if set := t.Scopes.Intersect(granted); set != "" && t.Live(now) {
			needed[set] = true
		}
	}
	return needed
}

// needed is neededSets of an account as it is now.
func (c *change) needed(acc Account) (map[rule.Scopes]bool, error) {
	if statusError(acc) != nil {
		return nil, nil
	}
	tokens, err := c.Tokens(acc.ID)
	return neededSets(grantOf(c.ledger.decide(acc)).Scopes, tokens, c.now), err
}

// revokeUnneeded revokes the account's keys that neither its grant nor any of its tokens needs.
func (c *change) revokeUnneeded(acc Account) error {
	needed, err := c.needed(acc)
	if err != nil {
		return err
	}
	keys, err := c.Keys(acc.ID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !key.works(c.now) || needed[key.Scopes] {
			continue
		}
		if err := c.revokeKey(key); err != nil {
			return err
		}
	}
	return nil
}
