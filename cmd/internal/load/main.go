// Command load fills a store with as many people as it is told, and measures what the program costs among
// them. It is for whoever works on vexa-sso, and is in no release.
//
//	go run ./cmd/internal/load fill    -store postgres://… -keyring FILE -accounts 1000000
//	go run ./cmd/internal/load measure -programs before=PATH,now=PATH -accounts 10000
//	go run ./cmd/internal/load replicas -program PATH
//	go run ./cmd/internal/load upgrade  -before PATH -program PATH -accounts 100000
//
// It knows the program from outside alone: real processes of any build, what they answer, the processor time
// that they use, and what they send to PostgreSQL, which goes through a wire that counts and delays. So two
// builds are measured in turns in one run, and nothing is measured that a store says of itself.
//
// The provider and Vexa in it know a million people by arithmetic (people.go): the doubles of the tests tell
// more of the truth, and keep each person in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: fill, measure, replicas or upgrade")
	}
	switch args[0] {
	case "fill":
		return fillCommand(ctx, args[1:])
	case "measure":
		return measureCommand(ctx, args[1:])
	case "replicas":
		return replicasCommand(ctx, args[1:])
	case "upgrade":
		return upgradeCommand(ctx, args[1:])
	}
	return fmt.Errorf("there is no %q: fill, measure, replicas or upgrade", args[0])
}
