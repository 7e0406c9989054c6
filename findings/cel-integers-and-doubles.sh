#!/usr/bin/env bash
# cel.dev/cel-go v0.33.2: a whole number equals a double that is another number.
#
# Most expect: the CEL specification compares int, uint and double "as if they exist on a continuous number
# line", so 9007199254740993 and 9007199254740992.0 are two numbers, one less than the other.
# Seen: cel-go brings the integer to a double first, which rounds it. Above 2^53 an integer equals its
# neighbour, is neither less nor greater, and is found in a list that only has the neighbour.
# A claim of a token that was decoded as JSON is a double by default in Go, and a number in a rule is an
# integer: a rule about one employee's number is about two employees. Claims have to be decoded with their
# digits (json.Number), and given to CEL as integers.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require cel.dev/cel-go v0.33.2
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	"cel.dev/cel-go/cel"
)

func main() {
	env, err := cel.NewEnv(cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		panic(err)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(`{"employee": 9007199254740992}`), &claims); err != nil {
		panic(err)
	}
	claims["other"] = int64(9007199254740993)
	for _, rule := range []string{
		"claims.employee == 9007199254740993",
		"claims.employee < 9007199254740993",
		"claims.other == claims.employee",
		"claims.other in [claims.employee]",
		"dyn(9007199254740993) == 9007199254740992.0",
		"dyn(9007199254740993) == 9007199254740992",
	} {
		ast, issues := env.Compile(rule)
		if issues.Err() != nil {
			panic(issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			panic(err)
		}
		out, _, err := program.Eval(map[string]any{"claims": claims})
		fmt.Println(rule, "is", out, err)
	}
}
GO
export GOFLAGS=-mod=mod GOWORK=off
seen=$(go run . 2>build.log) || { cat build.log; exit 1; }
echo "$seen"
diff - <(echo "$seen") <<'WANT' || { echo "changed"; exit 1; }
claims.employee == 9007199254740993 is true <nil>
claims.employee < 9007199254740993 is false <nil>
claims.other == claims.employee is true <nil>
claims.other in [claims.employee] is true <nil>
dyn(9007199254740993) == 9007199254740992.0 is true <nil>
dyn(9007199254740993) == 9007199254740992 is false <nil>
WANT
