package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at build time:
//
//	go build -ldflags "-X main.version=$(git describe --tags --always --dirty)" ./cmd/vexa-sso
var version string

// build is the build information of this program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // VCS revision
	Modified bool   `json:"modified,omitempty"` // with uncommitted changes
	Time     string `json:"time,omitempty"`     // of that revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(version, info)
}

// buildOf returns the build with the version given, or else that of the revision that the Go toolchain
// recorded.
func buildOf(given string, info *debug.BuildInfo) build {
	b := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Version = cmp.Or(given, b.commit(), "unknown")
	return b
}

// commit returns the revision as git describe --dirty writes it without tags; "" where it was not recorded.
func (b build) commit() string {
	const short = 7
	commit := b.Revision[:min(short, len(b.Revision))]
	if b.Modified {
		commit += "-dirty"
	}
	return commit
}

func (b build) String() string { return "vexa-sso " + b.Version + " " + b.Go + " " + b.Platform }

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			if asJSON {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(b)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the revision of the sources")
	return cmd
}
