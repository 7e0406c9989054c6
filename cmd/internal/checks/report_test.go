package main

import (
	"strings"
	"testing"
)

// What go test would say is said, and of what was skipped how much and why.
func TestReport(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	r := newReport(&said)
	out := func(test string, lines ...string) {
		for _, line := range lines {
			r.take(event{Action: "output", Package: "p", Test: test, Output: line + "\n"})
		}
	}
	end := func(action string, tests ...string) {
		for _, test := range tests {
			r.take(event{Action: action, Package: "p", Test: test})
		}
	}
	for range 2 {
		out("TestA", "=== RUN   TestA", "    a_test.go:9: well", "--- PASS: TestA (0.00s)")
		end("pass", "TestA")
		for _, test := range []string{"TestB", "TestB/sub"} {
			out(test, "=== RUN   "+test, "    b.go:21: no moon: wait", "--- SKIP: "+test+" (0.00s)")
		}
		end("skip", "TestB", "TestB/sub")
		out("", "PASS", "ok  \tp\t0.1s")
		end("pass", "")
	}
	r.take(event{Action: "build-output", Output: "# q\n"})
	out("TestA", "    a_test.go:9: badly", "--- FAIL: TestA (0.00s)")
	out("TestC", "    c_test.go:1: fine", "--- PASS: TestC (0.00s)")
	out("TestD", "--- SKIP: TestD (0.00s)")
	end("fail", "TestA")
	end("pass", "TestC")
	end("skip", "TestD")
	out("TestE", "=== RUN   TestE", "panic: dead")
	out("", "FAIL", "FAIL\tp\t0.1s")
	end("fail", "")
	r.end()
	const want = `ok  	p	0.1s
ok  	p	0.1s
# q
    a_test.go:9: badly
--- FAIL: TestA (0.00s)
panic: dead
FAIL
FAIL	p	0.1s

skipped (once something is installed, -count=1 looks again):
   4 tests: no moon: wait
   1 test: no reason is given
`
	if got := said.String(); got != want {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
}
