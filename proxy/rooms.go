package proxy

import (
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// What the rooms beside the road ([Proxy.Handle]) use of those below it: they import
// proxy and nothing under it.

// What can stand for a caller.
const (
	BySession = caller.BySession
	ByToken   = caller.ByToken
	ByBearer  = caller.ByBearer
)

// Refuse is a refusal by its code, in words; the code's own sentence when detail is empty.
func Refuse(code exchange.Code, detail string) error { return exchange.Refuse(code, detail) }

// RefuseBecause is Refuse with the reason that the log is told.
func RefuseBecause(code exchange.Code, detail string, err error) error {
	return exchange.RefuseBecause(code, detail, err)
}

// Describable is a sentence in the characters that an error_description may have (RFC 6749
// section 5.2, RFC 6750 section 3).
func Describable(sentence string) string { return exchange.Describable(sentence) }

// HoldsToken reports whether a text has something in it that looks like the value of a token of ours.
func HoldsToken(text string) bool { return caller.HoldsToken(text) }
