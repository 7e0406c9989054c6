package mapping

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"
)

// What the values of tokens begin with. The secret scanners of code hosts and chats know a leaked one by its
// prefix and checksum.
const (
	AccessValue  = "vsso_" // shown with each request
	RefreshValue = "vssr_" // exchanged by a tool for the next values
)

const (
	digits62    = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // as math/big has them
	secretBits  = 256
	secretWidth = 43 // of 256 bits in base 62
	sumWidth    = 6  // of 32 bits in base 62
	prefixWidth = 5
	valueWidth  = prefixWidth + secretWidth + sumWidth
)

// NewTokenValue makes the secret string of a token: the prefix, 256 random bits as 43 digits of base 62
// (0-9a-zA-Z, with leading zeros), and the CRC-32 (IEEE) of all that as 6 more.
func NewTokenValue(random io.Reader, prefix string) (string, error) {
	var secret [secretBits / 8]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	digits := new(big.Int).SetBytes(secret[:]).Text(62)
	value := prefix + strings.Repeat("0", secretWidth-len(digits)) + digits
	sum := checksum(value)
	return value + string(sum[:]), nil
}

// ParseTokenValue tells whether a string has the shape of a token's value with that prefix, checksum
// included, and returns the SHA-256 by which the value is known. What has not costs next to nothing, however
// long it is (S12).
func ParseTokenValue(prefix, s string) (hash [32]byte, ok bool) {
	if len(s) != valueWidth || len(prefix) != prefixWidth || s[:prefixWidth] != prefix {
		return hash, false
	}
	body := s[:valueWidth-sumWidth]
	for i := prefixWidth; i < len(body); i++ {
		if !isDigit62(body[i]) {
			return hash, false
		}
	}
	sum := checksum(body)
	if s[valueWidth-sumWidth:] != string(sum[:]) {
		return hash, false
	}
	var value [valueWidth]byte
	copy(value[:], s)
	return sha256.Sum256(value[:]), true
}

func isDigit62(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// checksum is the CRC-32 of a text in base 62. It goes through the table by itself because crc32.ChecksumIEEE
// would have the text copied to the heap.
func checksum(text string) (sum [sumWidth]byte) {
	crc := ^uint32(0)
	for i := range len(text) {
		crc = crc32.IEEETable[byte(crc)^text[i]] ^ crc>>8
	}
	crc = ^crc
	for i := sumWidth - 1; i >= 0; i-- {
		sum[i] = digits62[crc%62]
		crc /= 62
	}
	return sum
}

// valueHash is the SHA-256 under which the store knows a value.
func valueHash(value string) [32]byte { return sha256.Sum256([]byte(value)) }
