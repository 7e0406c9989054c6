package oidc

// tokenIssuer is an issuer whose access tokens are taken: its dialect, its discovery document and its keys.
type tokenIssuer struct {
	dialect
	discovery *discovery
	keys      *keySet
}

// tokenIssuers are the provider's own, and those of api.issuers that publish keys of their own.
func (p *Provider) tokenIssuers() []*tokenIssuer {
	issuers := []*tokenIssuer{{p.dialect, p.discovery, p.keys}}
	for _, spoken := range p.dialect.apiDialects(p.cfg.API.Issuers) {
		issuers = append(issuers, &tokenIssuer{
			spoken, p.newDiscovery("discovery "+spoken.issuer(), spoken),
			p.newKeySet("keys " + spoken.issuer()),
		})
	}
	return issuers
}

// tokenIssuer is the one with this iss, or nil.
func (p *Provider) tokenIssuer(iss string) *tokenIssuer {
	for _, issuer := range p.issuers {
		if issuer.issues(issuer.discovery.latest(), iss) {
			return issuer
		}
	}
	return nil
}
