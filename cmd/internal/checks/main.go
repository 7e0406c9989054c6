// Command checks runs go test, prints what it prints, and lists at the end what was skipped and why, which go
// test hides where a package passes. Arguments are those of go test; without any it tests everything.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "checks: %v\n", err)
		code = 2
	}
	os.Exit(code)
}

// run runs go test and returns its exit code.
func run(args []string, to io.Writer) (int, error) {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // go test hears it too, and we say what came of it
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	r := newReport(to)
	lines := bufio.NewReader(out)
	for err == nil {
		var line []byte
		line, err = lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(to, "%s", line)
			continue
		}
		r.take(e)
	}
	if err != io.EOF {
		return 0, err
	}
	err = cmd.Wait()
	r.end()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
