package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping/keyring"
)

func newKeyringGenerate() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make a new key ring",
		Long: `Make a new key ring and write it to a file that only its owner may read, or to the
standard output. An existing file is never overwritten: without its key ring, what is stored cannot
be opened again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ring, err := keyring.Generate()
			if err != nil {
				return fmt.Errorf("generating a key ring: %w", err)
			}
			if out == "" {
				_, err = cmd.OutOrStdout().Write(ring)
				return err
			}
			if err := createFile(out, ring); err != nil {
				return fmt.Errorf("writing the key ring: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(),
				"wrote %s; name it in keyring_file, and keep a copy with your secrets\n", out)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the `file` to make (default: standard output)")
	return cmd
}

func newKeyringReseal() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Seal what is stored again, with the newest key of the ring",
		Long: `Seal the Vexa keys and the providers' tokens that are stored again, with the newest
key of the ring. After a rotation the older keys of the ring are then needed only for the sessions
that began before it, and for no longer than those last.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		sealed, lost, err := a.Accounts.Reseal(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "sealed %s again\n",
			counted(sealed, "stored secret", "stored secrets"))
		if lost > 0 {
			return fmt.Errorf("%s cannot be opened by any key of %s: put the older keys back into it, or "+
				"let them be replaced when they are needed",
				counted(lost, "stored secret", "stored secrets"), a.Config.KeyringFile)
		}
		return nil
	})
	d.flags(cmd, false)
	return cmd
}

// createFile creates a file with mode 0600. It is an error when there is one.
func createFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf(
			"%s exists already: it is left as it is; to add a key to it, use `vexa-sso keyring rotate`", path,
		)
	}
	if err != nil {
		return err
	}
	if err := fill(f, content); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// replaceFile replaces a file atomically, with the owner and the mode of the old one: after a crash or a
// power failure there is either the old or the new.
func replaceFile(path string, content []byte) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has its new name by then, unless something failed
	if err := errors.Join(f.Chmod(old.Mode().Perm()), keepOwner(f, old), fill(f, content)); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fill writes content, syncs and closes the file.
func fill(f *os.File, content []byte) error {
	_, err := f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder syncs a folder, so that a rename in it is durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
