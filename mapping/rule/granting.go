package rule

// Granting returns the names of the rules that give at least one of the scopes, in order. A person who lacks
// them is told, so that they know what to ask for; shadow rules give nothing and are left out.
func (r *Rules) Granting(scopes ...string) []string {
	var names []string
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.denies() && !rule.Shadow && rule.scopes.Intersect(NewScopes(scopes...)) != "" {
			names = append(names, rule.Name)
		}
	}
	return names
}
