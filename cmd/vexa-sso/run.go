package main

import (
	"context"
	"errors"

	"vexa-sso/config"
)

// run serves with a configuration until ctx ends.
func run(context.Context, *config.Config) error {
	return errors.New("not wired yet")
}
