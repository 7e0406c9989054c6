package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

const (
	// maxTokenHeader bounds a token's header before it is decoded, in bytes; a chain of certificates fits.
	maxTokenHeader = 8 << 10
	// maxUnverified bounds a value that is read out of a token before the token is verified, in bytes.
	maxUnverified = 2 << 10
	// maxNesting bounds how deep objects and lists of a token are in each other.
	maxNesting = 32
)

// unverified is what a token says of itself before its signature is verified. Anybody can write that: it only
// chooses the issuer to verify with, and the reason for a refusal.
type unverified struct {
	header   tokenHeader
	issuer   string
	audience shortJSON // a text or a list
}

// tokenHeader are the parameters of a JOSE header (RFC 7515, section 4) that matter before the signature is
// looked at.
type tokenHeader struct {
	Algorithm string    `json:"alg"`
	Nonce     shortJSON `json:"nonce"` // Microsoft's: of tokens that nobody but their API can verify
	Critical  shortJSON `json:"crit"`
	Zip       shortJSON `json:"zip"` // of encrypted tokens, as the next two
	Enc       shortJSON `json:"enc"`
	PBES2     shortJSON `json:"p2c"`
}

// UnverifiedIssuer reads iss out of a JWT whose signature nobody has verified, in bounded time and memory. ok
// is false for what is no JWT.
func UnverifiedIssuer(raw string) (issuer string, ok bool) {
	token, problem := readUnverified(raw)
	return token.issuer, problem == ""
}

// readUnverified reads what a signed token says of itself; problem says for people why it is none. Whatever
// is too large, or has too many parts, is refused before it is decoded.
func readUnverified(raw string) (token unverified, problem string) {
	const none = "This is not an access token that can be verified here: it is not a signed JSON Web Token."
	if len(raw) > maxToken {
		return unverified{}, "This access token is longer than the 64 KiB that are taken."
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, dotted := strings.Cut(rest, ".")
	switch {
	case strings.Count(raw, ".") == 4:
		return unverified{}, "This token is encrypted; an access token that is signed alone is wanted."
	case !dotted || strings.Contains(signature, ".") || header == "" || payload == "" ||
		len(header) > maxTokenHeader:
		return unverified{}, none
	}
	if !decodePart(header, &token.header) || token.header.Algorithm == "" {
		return unverified{}, none
	}
	if h := token.header; h.Critical != nil || h.Zip != nil || h.Enc != nil || h.PBES2 != nil {
		return unverified{},
			"The header of this token asks for what is not done here (crit, zip, enc or p2c)."
	}
	var c struct {
		Issuer   shortJSON `json:"iss"`
		Audience shortJSON `json:"aud"`
	}
	if !decodePart(payload, &c) || json.Unmarshal(c.Issuer, &token.issuer) != nil || token.issuer == "" {
		return unverified{}, none
	}
	token.audience = c.Audience
	return token, ""
}

// shortJSON is a value that is kept as it is, if it is short; empty, not nil, if it is not.
type shortJSON []byte

func (s *shortJSON) UnmarshalJSON(value []byte) error {
	*s = shortJSON{}
	if len(value) <= maxUnverified {
		*s = bytes.Clone(value)
	}
	return nil
}

// decodePart reads one part of a token.
func decodePart(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && len(raw) > 0 && raw[0] == '{' && nesting(raw) <= maxNesting &&
		json.Unmarshal(raw, into) == nil
}

// nesting is how deep objects and lists are in each other, before a parser has to remember.
func nesting(text []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
