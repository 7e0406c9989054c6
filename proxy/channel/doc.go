// Package channel is what a provider tells us unasked.
//
// OpenID Connect Front-Channel Logout (frontchannel.go) and Back-Channel Logout (backchannel.go) end
// sessions; Okta's Universal Logout (universal.go) ends everything of a person. All of them end in the one
// revocation function of mapping, by [Ender]. A token that was used is refused the second time (replay.go).
package channel
