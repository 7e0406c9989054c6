package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
)

// verifierMatches checks a PKCE verifier against the challenge of its code (RFC 7636, section 4.6). A code
// without a challenge needs no verifier.
func verifierMatches(code *issuedCode, verifier string) bool {
	switch {
	case code.challenge == "":
		return true
	case code.challengeMethod == "S256":
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:]) == code.challenge
	default:
		return verifier != "" && verifier == code.challenge
	}
}
