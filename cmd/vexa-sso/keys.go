package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

// keyView is a key as JSON and tables show it: never its secret (S2).
type keyView struct {
	ID          string           `json:"id"`
	Account     string           `json:"account"`
	State       mapping.KeyState `json:"state"`
	Scopes      []string         `json:"scopes"`
	VexaUserID  int64            `json:"vexa_user_id"`
	VexaTokenID int64            `json:"vexa_token_id,omitempty"`
	CreatedAt   string           `json:"created_at"`
	ExpiresAt   string           `json:"expires_at,omitempty"`
	RevokedAt   string           `json:"revoked_at,omitempty"`
	Attempts    int              `json:"attempts,omitempty"` // at deleting it at Vexa
}

// replaced is what is shown of a key whose grace is not over: the store counts it among those to be deleted.
const replaced mapping.KeyState = "replaced"

func viewKey(k mapping.Key) keyView {
	if k.InGrace(time.Now()) {
		k.State = replaced
	}
	return keyView{
		k.ID, k.AccountID, k.State, k.Scopes.List(), k.VexaUserID, k.VexaTokenID, moment(k.CreatedAt),
		moment(k.ExpiresAt), moment(k.RevokedAt), k.Attempts,
	}
}

func printKeys(w io.Writer, keys []keyView) error {
	t := newTable(w, "KEY", "ACCOUNT", "STATE", "SCOPES", "VEXA USER", "VEXA TOKEN", "CREATED",
		"EXPIRES", "REVOKED")
	for _, k := range keys {
		t.row(k.ID, k.Account, string(k.State), string(rule.NewScopes(k.Scopes...)), number(k.VexaUserID),
			number(k.VexaTokenID), k.CreatedAt, k.ExpiresAt, k.RevokedAt)
	}
	return t.print()
}

func newKeysList() *cobra.Command {
	var d adminCommand
	var account string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the Vexa keys that the bridge keeps",
		Long: `List the Vexa keys that the bridge keeps, one for each account and set of scopes in
use; never their secrets.

A key is minting (Vexa was asked, and has not answered), active, replaced (by a newer one: it goes on
working until key_grace is over, which is what REVOKED shows), or revoking (it is used no more, and
Vexa has not confirmed yet that it is deleted). A key that Vexa has confirmed to be deleted is
not in the list any more.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		id := ""
		if account != "" {
			acc, err := find(cmd.Context(), a, account)
			if err != nil {
				return err
			}
			id = acc.ID
		}
		keys, err := a.Accounts.KeysOf(cmd.Context(), id)
		if err != nil {
			return err
		}
		views := each(keys, viewKey)
		if d.asJSON {
			return printJSON(cmd.OutOrStdout(), views)
		}
		return printKeys(cmd.OutOrStdout(), views)
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&account, "account", "", "only of this `account`: an id, a subject or an email")
	return cmd
}

func newKeysRevoke() *cobra.Command {
	var d adminCommand
	cmd := &cobra.Command{
		Use:   "revoke KEY",
		Short: "Delete a key, here and at Vexa",
		Long: `Delete a key, here and at Vexa. Who may have one gets a new key with the next
request: to take somebody's access away, suspend the account.`,
		Args: arguments(1, 1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		err := a.Accounts.RevokeKey(cmd.Context(), args[0], "asked for by an admin", actor())
		if errors.Is(err, mapping.ErrNotFound) {
			return fmt.Errorf("no key is %q: `vexa-sso keys list` shows all", args[0])
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "revoked: key %s\n", args[0])
		return finish(cmd, a)
	})
	d.flags(cmd, false)
	return cmd
}

func newKeysRotate() *cobra.Command {
	var d adminCommand
	var account string
	cmd := &cobra.Command{
		Use:   "rotate KEY | rotate --account ACCOUNT",
		Short: "Put a new key in a key's place, or in all of an account",
		Long: `Put a new key in a key's place, or with --account in the place of each active key
that the account has. Every server uses the new one at once. The old one lives for key_grace longer,
for requests that are under way, and is then deleted at Vexa by a running server. A key that somebody
else may have is better revoked: keys revoke.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		if (len(args) == 1) == (account != "") {
			return usageError{errors.New("name one key, or an account with --account")}
		}
		accountID, keyID, err := whichKeys(cmd, a, args, account)
		if err != nil {
			return err
		}
		minted, err := a.Accounts.RotateKeys(cmd.Context(), accountID, keyID, actor())
		for _, id := range minted {
			fmt.Fprintf(cmd.OutOrStdout(), "minted: key %s\n", id)
		}
		if err == nil && len(minted) == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "there is no active key to rotate")
		}
		return err
	})
	d.flags(cmd, false)
	cmd.Flags().StringVar(&account, "account", "",
		"all active keys of this `account`: an id, a subject or an email")
	return cmd
}

// whichKeys returns the account, and the key if one was named.
func whichKeys(
	cmd *cobra.Command, a *bridge.Admin, args []string, account string,
) (accountID, keyID string, err error) {
	if account != "" {
		acc, err := find(cmd.Context(), a, account)
		return acc.ID, "", err
	}
	keys, err := a.Accounts.KeysOf(cmd.Context(), "")
	if err != nil {
		return "", "", err
	}
	for _, k := range keys {
		if k.ID == args[0] {
			return k.AccountID, k.ID, nil
		}
	}
	return "", "", fmt.Errorf("no key is %q: `vexa-sso keys list` shows all", args[0])
}
