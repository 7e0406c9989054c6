#!/usr/bin/env bash
# golang.org/x/net/idna v0.62.0 and the Python package idna 3.11: the same domain in capitals is another
# domain, in one of them.
#
# Most expect: domains are case-blind, so an address says the same domain in capitals and in small letters, to
# every library.
# Seen: Go's Lookup and Display profiles keep the small sharp s (xn--strae-oqa) and map the capital one to ss:
# two domains that two organisations can register. Python's idna, by later tables of UTS 46, brings both to
# xn--strae-oqa. Where an identity provider and whoever trusts its domains use different libraries, they
# disagree about whose address it is. What is compared has to be in lower case before IDNA sees it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require golang.org/x/net v0.62.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

func main() {
	for _, domain := range []string{"stra\u00dfe.example", "STRA\u1e9eE.example", strings.ToLower("STRA\u1e9eE.example")} {
		lookup, err := idna.Lookup.ToASCII(domain)
		fmt.Println("go", domain, lookup, err)
	}
}
GO
export GOFLAGS=-mod=mod GOWORK=off
seen=$(go run . 2>build.log) || { cat build.log; exit 1; }
python3 -m venv py && py/bin/pip install --quiet --disable-pip-version-check idna==3.11
seen+=$'\n'$(py/bin/python -c '
import idna
for domain in ("stra\u00dfe.example", "STRA\u1e9eE.example"):
    print("python", domain, idna.encode(domain, uts46=True).decode())')
echo "$seen"
diff - <(echo "$seen") <<'WANT' || { echo "changed"; exit 1; }
go straße.example xn--strae-oqa.example <nil>
go STRAẞE.example strasse.example <nil>
go straße.example xn--strae-oqa.example <nil>
python straße.example xn--strae-oqa.example
python STRAẞE.example xn--strae-oqa.example
WANT
