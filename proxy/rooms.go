package proxy

import (
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// What the rooms beside the road ([Proxy.Handle]) use of those below it: they import
// proxy and nothing under it.

// The kinds of credential: see package caller.
const (
	BySession = caller.BySession
	ByToken   = caller.ByToken
	ByBearer  = caller.ByBearer
)

// Refuse returns the error of a refusal with this code. detail is what people and programs are told; the
// code's own sentence when empty.
func Refuse(code exchange.Code, detail string) error { return exchange.Refuse(code, detail) }

// RefuseBecause is Refuse with the cause, which goes to the log only.
func RefuseBecause(code exchange.Code, detail string, err error) error {
	return exchange.RefuseBecause(code, detail, err)
}

// Describable replaces the characters of a sentence that an error_description may not have (RFC 6749 section
// 5.2, RFC 6750 section 3).
func Describable(sentence string) string { return exchange.Describable(sentence) }

// HoldsToken reports whether a text contains what looks like the value of a token of ours.
func HoldsToken(text string) bool { return caller.HoldsToken(text) }
