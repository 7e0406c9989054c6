package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping/keyring"
)

func newKeyringAdd() *cobra.Command {
	var from settings
	cmd := &cobra.Command{
		Use:   "add [file]",
		Short: "Add a new key to a key ring, that only opens for now",
		Long: `Add a new key to a key ring, in place. It only opens, until ` + "`keyring promote`" + ` has it seal: so
that no replica seals with a key that another has not got. The file is that of the configuration,
unless another is named. Running servers notice the change by themselves.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := ringFile(cmd, &from, args)
			if err != nil {
				return err
			}
			id, err := changeRing(path, keyring.Add)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "added the key %s to %s, which only opens for now: give the "+
				"file to all replicas, then `vexa-sso keyring promote` has it seal\n", id, path)
			return err
		},
	}
	from.flag(cmd)
	return cmd
}

func newKeyringPromote() *cobra.Command {
	var from settings
	var force bool
	cmd := &cobra.Command{
		Use:   "promote [file]",
		Short: "Have the key that was added to a key ring seal from now on",
		Long: `Have the key that ` + "`keyring add`" + ` added seal from now on, in place. The older keys stay, to
open what they sealed. The file is that of the configuration, unless another is named; the store is
that of the configuration in any case. It is refused unless all replicas that live say that they
have the key; a replica that ended without a word counts for a minute. Replicas of a version that
does not say so are not known: finish an upgrade first. --force asks nobody.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := ringFile(cmd, &from, args)
		if err != nil {
			return err
		}
		may := func(id string) error { return nil }
		if !force {
			cfg, err := from.load(cmd)
			if err != nil {
				return err
			}
			may = func(id string) error { return allHave(cmd.Context(), cfg, id) }
		}
		id, err := changeRing(path, func(old []byte) (file []byte, id string, err error) {
			if file, id, err = keyring.Promote(old); err != nil {
				return nil, "", err
			}
			return file, id, may(id)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the key %s of %s seals from now on; `vexa-sso keyring reseal` "+
			"seals again what the older ones sealed\n", id, path)
		return err
	}
	from.flag(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "ask no replica: those without the key refuse what others seal")
	return cmd
}

func newKeyringRotate() *cobra.Command {
	var from settings
	cmd := &cobra.Command{
		Use:   "rotate [file]",
		Short: "Add a new key to a key ring, and seal with it from now on",
		Long: `Add a new key to a key ring, in place. From now on it seals; the older keys stay, to
open what they sealed. The file is that of the configuration, unless another is named. A running
server notices the change by itself. Where several replicas live on one store it is refused: there
it takes two steps, ` + "`keyring add` and `keyring promote`" + `.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := ringFile(cmd, &from, args)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if err := onlyOne(cmd, &from); err != nil {
					return err
				}
			}
			_, err = changeRing(path, func(old []byte) ([]byte, string, error) {
				file, err := keyring.Rotate(old)
				return file, "", err
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "rotated %s\n", path)
			return err
		},
	}
	from.flag(cmd)
	return cmd
}

// onlyOne refuses where several replicas live on the store of the configuration.
func onlyOne(cmd *cobra.Command, from *settings) error {
	cfg, err := from.load(cmd)
	if err != nil {
		return err
	}
	live, err := liveReplicas(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if len(live) > 1 {
		return fmt.Errorf("%d replicas live on this store, and each refuses what another seals with a key that "+
			"it has not got: use `vexa-sso keyring add`, and `vexa-sso keyring promote` when all have it",
			len(live))
	}
	return nil
}

// allHave refuses unless every replica that lives has the key.
func allHave(ctx context.Context, cfg *config.Config, id string) error {
	live, err := liveReplicas(ctx, cfg)
	if err != nil {
		return err
	}
	var without []string
	for _, r := range live {
		if !slices.Contains(r.Keys, id) {
			without = append(without, r.Name)
		}
	}
	if len(without) > 0 {
		return fmt.Errorf("the key %s is not known yet to %s: give them the file and wait until they have read "+
			"it, or stop them; --force asks nobody", id, strings.Join(without, ", "))
	}
	return nil
}

// liveReplicas returns those of the store of a configuration: none where a file is not there yet.
func liveReplicas(ctx context.Context, cfg *config.Config) ([]bridge.Replica, error) {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	a, err := bridge.OpenAdmin(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("ask which replicas live: %w", err)
	}
	defer a.Close()
	return bridge.LiveReplicas(ctx, a.Store)
}

func ringFile(cmd *cobra.Command, from *settings, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	cfg, err := from.load(cmd)
	if err != nil {
		return "", err
	}
	return cfg.KeyringFile, nil
}

// changeRing replaces the file of a ring by another, of which change says the new key.
func changeRing(
	path string, change func(old []byte) (file []byte, id string, err error),
) (id string, err error) {
	path, err = filepath.EvalSymlinks(path) // the file is replaced, not the link to it
	if err != nil {
		return "", fmt.Errorf("finding the key ring: %w", err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the key ring: %w", err)
	}
	ring, id, err := change(old)
	if err != nil {
		return "", fmt.Errorf("changing %s: %w", path, err)
	}
	if err := replaceFile(path, ring); err != nil {
		return "", fmt.Errorf("writing the key ring: %w", err)
	}
	return id, nil
}
