#!/usr/bin/env bash
# github.com/tink-crypto/tink-go/v2 v2.9.0 with Go's GODEBUG=fips140=only: AES-GCM, which FIPS 140 approves,
# seals nothing.
#
# Most expect: fips140=only forbids what is not approved; a keyset of AES-256-GCM is, so a program that
# seals with nothing else runs as before.
# Seen: Tink draws the nonce itself and hands it to cipher.NewGCM, and Go takes AES-GCM in that mode only
# where the nonce is drawn inside (NewGCMWithRandomNonce). Already making the primitive fails. With
# fips140=on, where the same module does the work, all is well. Who seals with Tink runs with "on", and does
# not take the error for a broken key.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require github.com/tink-crypto/tink-go/v2 v2.9.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

func main() {
	defer func() {
		if p := recover(); p != nil {
			fmt.Println("sealed: no,", p)
		}
	}()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		fmt.Println("sealed: no,", err)
		return
	}
	primitive, err := aead.New(handle)
	if err != nil {
		fmt.Println("sealed: no,", err)
		return
	}
	sealed, err := primitive.Encrypt([]byte("a key"), nil)
	if err != nil {
		fmt.Println("sealed: no,", err)
		return
	}
	opened, err := primitive.Decrypt(sealed, nil)
	fmt.Println("sealed: yes,", string(opened) == "a key", err)
}
GO
export GOFLAGS=-mod=mod GOWORK=off
go build -o finding . 2>build.log || { cat build.log; exit 1; }
for mode in off on only; do
  printf 'fips140=%s ' "$mode"
  GODEBUG=fips140=$mode ./finding
done | tee seen
grep -q '^fips140=off sealed: yes, true' seen
grep -q '^fips140=on sealed: yes, true' seen
grep -q '^fips140=only sealed: no,' seen
