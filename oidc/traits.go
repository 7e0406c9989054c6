package oidc

import "time"

// Traits of a provider that others have to allow for: they ask here, never for its type.

// IsType says whether a text is a type of provider, with which its canonical subjects begin.
func IsType(text string) bool {
	_, known := typeTitles[text]
	return known
}

// UsesFormPost says whether the provider answers by a form that the browser posts (response_mode form_post):
// a cross-site POST.
func (p *Provider) UsesFormPost() bool { return p.cfg.ResponseMode == ResponseModeFormPost }

// KnowsDomains says whether HandlesDomain can ever be true.
func (p *Provider) KnowsDomains() bool { return len(p.cfg.TrustedDomains) > 0 }

// PromptForAccount is the prompt with which a person can sign in with another account: select_account or
// login (OpenID Connect Core 1.0, section 3.1.2.1).
func (p *Provider) PromptForAccount() string { return p.dialect.promptForAccount() }

// MaxAgeForFreshSignIn is the max_age to send, beside prompt=login, when the person must sign in again
// (OpenID Connect Core 1.0, section 3.1.2.1): 0, which also makes the provider say when they did. It is nil
// for Entra, which does not support it.
func (p *Provider) MaxAgeForFreshSignIn() *time.Duration {
	if !p.dialect.takesMaxAgeZero() {
		return nil
	}
	return new(time.Duration)
}

// TrustsPrompt says whether asking for a fresh sign-in has to do where the ID token does not say when it was:
// by the setting reauthentication alone. The person can take what we ask for out of the address.
func (p *Provider) TrustsPrompt() bool { return p.cfg.Reauthentication == ReauthenticateByPrompt }

// SupportsUniversalLogout says whether the provider calls Universal Logout (VerifyUniversalLogout): Okta
// does.
func (p *Provider) SupportsUniversalLogout() bool { return p.dialect.universalLogoutIssuer() != "" }
