// Package rule decides: an identity goes in, a decision comes out, and why.
//
// An admin writes each [Rule] in the configuration. [Compile] checks them all and makes [Rules] of them,
// once; a server that runs keeps them in a [Live], which exchanges them when their file changes and keeps the
// old ones where the new ones do not hold. [Rules.Decide] asks every rule about an [oidc.Identity]. The
// [Decision] carries a [Grant] or says why there is none, and lists each rule with its part in it. Nobody is
// granted anything that no rule gives.
//
// Every grant that matches adds: scopes unite, bots take the maximum, lifetimes the minimum; two that name
// different Vexa users refuse. One deny that matches beats all grants. What the provider did not tell, such
// as a list of groups that is not complete, or an expression that fails, counts against whoever is asked
// about: a grant does not match, a deny does.
//
// The package is pure: it knows no store, no Vexa and no time. It is handed an identity and answers.
package rule
