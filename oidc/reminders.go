package oidc

// Reminders are what the settings need at the provider and cannot show, as warnings: none stops anything.
func (c Config) Reminders() []Problem {
	r := &problems{}
	switch {
	case c.Reauthentication == ReauthenticateByPrompt:
		r.add("reauthentication", "lets a person skip signing in again where the ID token has no auth_time: "+
			"what we ask for is in an address that they can change",
			"have the provider put auth_time into ID tokens, and take it away")
	case c.Type == TypeEntra && c.Reauthentication == "":
		r.add("reauthentication", "is not set, and Entra ID tells when somebody signed in only where it was "+
			"told to: without that nobody can make a token, approve a device or let a tool in",
			"add the optional claim auth_time to the ID token (Token configuration), then write "+
				"reauthentication: auth_time")
	}
	return r.found
}
