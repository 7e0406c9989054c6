package oidc

// Providers are the configured providers, in the order in which people see them.
type Providers []*Provider

// ByName returns the provider of that name; nil if there is none.
func (ps Providers) ByName(name string) *Provider {
	for _, p := range ps {
		if p.Name() == name {
			return p
		}
	}
	return nil
}
