package oidc

// UsesFormPost says whether the provider answers by a form that the browser posts (response_mode form_post): a cross-site POST.
func (p *Provider) UsesFormPost() bool { return p.cfg.ResponseMode == "form_post" }

// KnowsDomains says whether HandlesDomain can ever be true.
func (p *Provider) KnowsDomains() bool { return len(p.cfg.TrustedDomains) > 0 }
