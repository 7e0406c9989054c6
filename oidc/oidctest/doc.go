// Package oidctest is identity providers that answer as the real ones do: [Okta], Microsoft [Entra] ID and a
// [Plain] OpenID provider. They speak real HTTP, sign real tokens and can be changed and broken while they
// run. Tests start one with a line; a program serves them itself.
//
//	okta := oidctest.StartOkta(t, oidctest.OktaOptions{})
//	okta.AddCast()                                       // Ada, Grace, Tim, Mallory and Guest
//	client := okta.AddClient(oidctest.Client{Secrets: []string{"s3cret"}, RedirectURIs: []string{callback}})
//	…                                                    // configure a relying party with okta.Issuer() and client.ID
//	back, err := okta.SignIn(ctx, authorizationURL, oidctest.Ada)
//	…                                                    // open back.URL at the relying party: it has code and state
//
// # What a double is made of
//
// Every provider embeds a [Double], which has three parts of its own:
//
//   - a [Directory] of people and clients. Disable somebody, change their groups, revoke their tokens, delete
//     them and give their address to somebody else: the next request sees it. Ids are derived from addresses,
//     so they outlive a restart.
//   - [Faults]: Break puts a [Fault] in front of an [Endpoint] (Down, Status, MalformedJSON, HugeBody, Before
//     a hook, Times limits any of them), Hang holds requests until they are released, Mend ends it.
//   - a [Journal]: how often each endpoint was asked, every token request with the way its client proved
//     itself, every authorization request.
//
// The sign-in page has a button for each person and needs no script. A [Browser] presses it over HTTP, keeps
// the provider's cookie for prompt=none, and can refuse, sign out and approve devices. With AutoSignIn the
// parameters login_hint=<email>&demo_auto=1 sign a person in without the page.
//
// # Tokens that no provider would issue
//
// IDTokenClaims, AccessTokenClaims and ServiceTokenClaims (at Entra also …V1) give the claims of a good
// token; GraphToken and OrgAccessToken are tokens that nobody but their API can verify. Change claims with
// [Claims.With] and sign them with the provider's own key, or any other, by Sign and its options:
//
//	okta.Sign(claims.With("aud", "somebody else"))
//	okta.Sign(claims, oidctest.Unsigned())
//	oidctest.Sign(stranger, claims, oidctest.KeyID(active.ID))
//
// A [Keyring] publishes the next key, rotates, withdraws one, or makes one flap.
//
// # What every test may use
//
// A [Clock] that tests move, a [LogBook] that keeps what is logged, and [WaitFor], [Await] and [Within],
// which wait for what must happen and give up only on what hangs.
//
// # How true they are
//
// Okta serves the org's own authorization server at its base URL and custom ones side by side, below /oauth2.
// ID tokens of the code flow are thin, groups are names and more than 100 of them fail the request, access
// tokens call the user uid and the login sub, and those of the org cannot be verified by anybody. Logout
// insists on an id_token_hint. Errors have the words of Okta's catalogue.
//
// Entra serves tenants, common, organizations and consumers, in version 1 and 2, and Microsoft Graph on the
// same listener at the msgraph_host of discovery. Shared documents name the issuer {tenantid}; keys have no
// alg and say whose tokens they may sign; subjects are pairwise; iat lies 300 seconds back; groups are the
// GUIDs of [GroupID], and more than 200 of them become a pointer to a service that no longer exists. Access
// tokens for Graph do not verify. There is no revocation, and old refresh tokens stay good. [Attacker] is the
// administrator of another tenant with somebody else's address.
//
// What the vendors' documents leave open is a field of [OktaOptions], [EntraOptions], [Client] or [Person],
// set to the likelier answer. Left out are what needs a second product: SAML, SCIM, mTLS, DPoP and the MFA
// prompts themselves ([Person] has MFARequired for the refusal). The clock and randomness come from the
// options; Plain keeps the machine's clock, as its library does. Keys and certificates are generated at run
// time from the system's randomness whatever the options say.
package oidctest
