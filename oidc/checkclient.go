package oidc

import (
	"fmt"
	"slices"
	"strings"
)

// checkCredentials holds the settings to one way of client authentication, which the provider has to know,
// and its files to be readable and of the right kind.
func (c Config) checkCredentials(r *problems) {
	c.checkSecrets(r)
	ways := c.credentialKeys()
	for _, key := range ways[min(1, len(ways)):] {
		r.add(key, fmt.Sprintf("is set beside %s", ways[0]),
			"there is one way to prove who we are to a provider: keep one of them")
	}
	if c.KeyID != "" && c.PrivateKeyFile == "" && c.CertificateFile == "" {
		r.add("key_id", "is set without a private_key_file", "take it away, or name the key")
	}
	if len(ways) != 1 {
		return
	}
	switch ways[0] {
	case "certificate_file":
		c.checkCertificate(r)
	case "private_key_file":
		c.checkPrivateKey(r)
	case "federated_token_file":
		c.checkFederatedToken(r)
	}
}

// credentialKeys are the settings in use of which each is a way of client authentication. A private key
// beside a certificate belongs to the certificate.
func (c Config) credentialKeys() []string {
	var keys []string
	for _, way := range []struct {
		key  string
		used bool
	}{
		{"client_secret", c.ClientSecret != ""},
		{"client_secrets", len(c.ClientSecrets) > 0},
		{"certificate_file", c.CertificateFile != ""},
		{"private_key_file", c.PrivateKeyFile != "" && c.CertificateFile == ""},
		{"federated_token_file", c.FederatedTokenFile != ""},
	} {
		if way.used {
			keys = append(keys, way.key)
		}
	}
	return keys
}

func (c Config) checkSecrets(r *problems) {
	if len(c.ClientSecrets) > 2 {
		r.add("client_secrets", fmt.Sprintf("has %d entries", len(c.ClientSecrets)),
			"two serve during a rotation: the new one and the old one")
	}
	if c.ClientSecret != strings.TrimSpace(c.ClientSecret) {
		r.add("client_secret", "has white space around it", "take it off; a file may end with a line break")
	}
	for i, secret := range c.ClientSecrets {
		if secret == "" || secret != strings.TrimSpace(secret) {
			r.add(fmt.Sprintf("client_secrets[%d]", i), "is empty or has white space around it",
				"write the secret alone, or take the entry away")
		}
	}
}

func (c Config) checkPrivateKey(r *problems) {
	if c.Type == TypeEntra {
		r.add("certificate_file", "is missing",
			"Entra ID knows keys by their certificates: name the one that is uploaded there")
		return
	}
	if _, err := readClientKey(c.PrivateKeyFile, ""); err != nil {
		r.add("private_key_file", err.Error(),
			"name a readable PEM file with one RSA or EC private key, without a password")
	}
}

func (c Config) checkCertificate(r *problems) {
	if c.Type == TypeOkta {
		r.add("certificate_file", "is of no use: Okta knows keys, not certificates",
			"write private_key_file alone, and register its public half in Okta")
		return
	}
	key, err := readClientKey(c.PrivateKeyFile, c.CertificateFile)
	if err != nil {
		r.add("certificate_file", err.Error(), "name a readable PEM file with the certificate; its private "+
			"key, without a password, in the same file or in private_key_file")
		return
	}
	if c.Type == TypeEntra && !key.isRSA() {
		r.add("certificate_file", "is not for an RSA key",
			"Entra ID takes certificates of RSA keys alone: make one of those")
	}
}

func (c Config) checkFederatedToken(r *problems) {
	if c.Type != TypeEntra {
		r.add("federated_token_file", "is a setting of type entra", "take it away")
		return
	}
	if _, err := readFederatedToken(c.FederatedTokenFile); err != nil {
		r.add("federated_token_file", err.Error(),
			"name the file that the platform keeps the workload's token in (AZURE_FEDERATED_TOKEN_FILE)")
	}
}

// ourParameters are those of an authorization request that extra_parameters may not hold, each with the
// setting that is for it; "" for what differs with each sign-in.
var ourParameters = map[string]string{
	"client_id": "", "redirect_uri": "", "response_type": "", "state": "", "nonce": "",
	"code_challenge": "", "code_challenge_method": "",
	"client_secret": "", "client_assertion": "", "client_assertion_type": "", "grant_type": "",
	"code": "", "code_verifier": "",
	"request": "", "request_uri": "", "login_hint": "", "id_token_hint": "",
	"scope": "scopes", "response_mode": "response_mode", "prompt": "prompt", "max_age": "max_age",
	"acr_values": "acr_values", "domain_hint": "domain_hint",
}

const (
	maxExtra      = 20      // extra_parameters
	maxExtraValue = 1 << 10 // bytes of each
)

// checkRequest holds what the settings add to authorization requests to what may be added.
func (c Config) checkRequest(r *problems) {
	for i, value := range c.ACRValues {
		if !isParameter(value) || strings.Contains(value, " ") {
			r.add(fmt.Sprintf("acr_values[%d]", i),
				fmt.Sprintf("%s is not a value of acr_values", quoted(value)),
				"write one an entry, without spaces")
		}
	}
	if !slices.Contains([]string{"", "login", "consent", "select_account"}, c.Prompt) {
		r.add("prompt", fmt.Sprintf("%s is not a prompt that every sign-in can have", quoted(c.Prompt)),
			"write login, consent or select_account, or take it away")
	}
	if !slices.Contains([]string{"", ReauthenticateByAuthTime, ReauthenticateByPrompt}, c.Reauthentication) {
		r.add("reauthentication", fmt.Sprintf("%s is not auth_time or prompt", quoted(c.Reauthentication)),
			"take it away for the default, auth_time")
	}
	if c.MaxAge < 0 || c.MaxAge%1e9 != 0 {
		r.add("max_age", fmt.Sprintf("%v is not a number of seconds", c.MaxAge),
			"write 8h, for example; for a sign-in each time, write prompt: login")
	}
	if c.DomainHint != "" && !isParameter(c.DomainHint) {
		r.add("domain_hint", fmt.Sprintf("%s is not a domain", quoted(c.DomainHint)),
			"write the domain of the people who sign in")
	}
	if len(c.ExtraParameters) > maxExtra {
		r.add("extra_parameters", fmt.Sprintf("has %d entries", len(c.ExtraParameters)),
			fmt.Sprintf("at most %d", maxExtra))
	}
	for name, value := range c.ExtraParameters {
		key := "extra_parameters." + name
		setting, ours := ourParameters[strings.ToLower(name)]
		switch {
		case ours && setting != "":
			r.add(key, "has a setting of its own", fmt.Sprintf("write %s", setting))
		case ours:
			r.add(key, "is set by us, differently for each sign-in", "take it away")
		case !isParameter(name) || !isParameter(value):
			r.add(key, "is empty, too long, or not printable ASCII",
				"write name and value as the provider documents them")
		}
	}
}

func isParameter(text string) bool {
	return text != "" && len(text) <= maxExtraValue &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
