// Command vexa-sso-demo runs everything on one machine: a development identity provider that acts as Okta and
// as Entra ID, a simulated Vexa, and the bridge between them. It needs nothing installed, keeps its store in
// a folder that it deletes at the end, and stops cleanly on Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping/keyring"
)

// options are the flags.
type options struct {
	listen, idpListen, stateDir string
	generation                  string
	gateway, admin, tokenFile   string // of a real Vexa
	verbose                     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "vexa-sso-demo:", err)
		os.Exit(1)
	}
}

type usageError struct{ error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("vexa-sso-demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:4180", "`address` of the bridge")
	flags.StringVar(&o.idpListen, "idp-listen", "localhost:4190",
		"`address` of the development identity provider")
	flags.StringVar(&o.stateDir, "state-dir", "",
		"`folder` for the store and the key ring, kept afterwards (default: one that is deleted at the end)")
	flags.StringVar(&o.generation, "vexa-generation", "0.12",
		"`generation` of the simulated Vexa: 0.12 or 0.10")
	flags.StringVar(&o.gateway, "vexa-gateway", "",
		"`URL` of a real Vexa's gateway, instead of the simulated one")
	flags.StringVar(&o.admin, "vexa-admin", "", "`URL` of a real Vexa's Admin API")
	flags.StringVar(&o.tokenFile, "vexa-admin-token-file", "", "`file` with a real Vexa's ADMIN_API_TOKEN")
	flags.BoolVar(&o.verbose, "verbose", false, "show the bridge's log")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	wrong := ""
	switch real := o.gateway + o.admin + o.tokenFile; {
	case flags.NArg() > 0:
		wrong = "unexpected " + flags.Arg(0)
	case o.generation != "0.12" && o.generation != "0.10":
		wrong = "--vexa-generation is 0.12 or 0.10"
	case real != "" && (o.gateway == "" || o.admin == "" || o.tokenFile == ""):
		wrong = "a real Vexa needs --vexa-gateway, --vexa-admin and --vexa-admin-token-file"
	}
	if wrong != "" {
		fmt.Fprintln(stderr, "vexa-sso-demo:", wrong)
		return o, usageError{errors.New(wrong)}
	}
	return o, nil
}

// run starts everything, prints what there is, and stops all of it when ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s := &scene{options: o}
	if s.dir = o.stateDir; s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "vexa-sso-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(s.dir)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.reserve(); err != nil {
		return err
	}
	if err := s.startProviders(); err != nil {
		return err
	}
	defer s.stopProviders()
	if err := s.startVexa(); err != nil {
		return err
	}
	defer s.stopVexa()
	cfg, err := s.config()
	if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = stderr
	}
	return bridge.Run(ctx, cfg,
		bridge.Options{Log: log, Ready: func(net.Addr, net.Addr) { s.welcome(stdout) }})
}

// reserve chooses the ports: 0 means any free one.
func (s *scene) reserve() error {
	for _, address := range []*string{&s.listen, &s.idpListen} {
		host, port, err := net.SplitHostPort(*address)
		if err != nil {
			return err
		}
		if port != "0" {
			continue
		}
		free, err := net.Listen("tcp", *address)
		if err != nil {
			return err
		}
		_, port, _ = net.SplitHostPort(free.Addr().String())
		free.Close()
		*address = net.JoinHostPort(host, port)
	}
	s.public = "http://" + s.listen
	return nil
}

// config returns the demo's configuration, with a key ring.
func (s *scene) config() (*config.Config, error) {
	ring := filepath.Join(s.dir, "keyring.json")
	if _, err := os.Stat(ring); errors.Is(err, os.ErrNotExist) {
		text, err := keyring.Generate()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(ring, text, 0o600); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Load("", []string{"VEXA_SSO_CONFIG=" + strings.NewReplacer(
		"{public}", s.public, "{listen}", s.listen, "{idp}", s.idp,
		"{gateway}", s.gateway, "{admin}", s.admin, "{token}", s.token,
		"{okta-secret}", s.oktaSecret, "{entra-secret}", s.entraSecret, "{job}", job,
		"{dir}", s.dir,
	).Replace(document)})
	if err != nil {
		return nil, fmt.Errorf("the demo's own configuration: %w", err)
	}
	return cfg, nil
}
