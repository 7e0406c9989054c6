package main

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
)

// keyView is a key as JSON and tables show it: never its secret (S2).
type keyView struct {
	ID          string           `json:"id"`
	Account     string           `json:"account"`
	Whose       string           `json:"whose"`
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

func viewKey(o store.Owned[mapping.Key]) keyView {
	k := o.Item
	if k.InGrace(time.Now()) {
		k.State = replaced
	}
	return keyView{
		k.ID, k.AccountID, whose(o.Owner), k.State, k.Scopes.List(), k.VexaUserID, k.VexaTokenID,
		moment(k.CreatedAt),
		moment(k.ExpiresAt), moment(k.RevokedAt), k.Attempts,
	}
}

var keyHeading = []string{
	"KEY", "ACCOUNT", "WHOSE", "STATE", "SCOPES", "VEXA USER", "VEXA TOKEN", "CREATED", "EXPIRES", "REVOKED",
}

func (k keyView) row() []string {
	return []string{
		k.ID, k.Account, k.Whose, string(k.State), string(rule.NewScopes(k.Scopes...)), number(k.VexaUserID),
		number(k.VexaTokenID), k.CreatedAt, k.ExpiresAt, k.RevokedAt,
	}
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
		return printList(cmd.OutOrStdout(), d.asJSON, keysOf(cmd, a, account), viewKey, keyHeading,
			keyView.row)
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&account, "account", "", "only of this `account`: an id, a subject or an email")
	return cmd
}

// keysOf returns the keys of an account, or all.
func keysOf(cmd *cobra.Command, a *bridge.Admin, account string) iter.Seq2[store.Owned[mapping.Key], error] {
	if account == "" {
		return a.Store.ListKeys(cmd.Context())
	}
	acc, err := find(cmd.Context(), a, account)
	if err != nil {
		return listed[store.Owned[mapping.Key]](nil, err)
	}
	keys, err := a.Accounts.KeysOf(cmd.Context(), acc.ID)
	return listed(ownedBy(keys, acc), err)
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
		key, err := keyNamed(cmd, a, args[0])
		if err != nil {
			return err
		}
		acc, err := a.Accounts.Account(cmd.Context(), key.AccountID)
		if err != nil {
			return err
		}
		err = a.Accounts.RevokeKey(cmd.Context(), args[0], "asked for by an admin", actor())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "revoked: key %s\n", args[0])
		return finish(cmd, a, acc)
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
	key, err := keyNamed(cmd, a, args[0])
	return key.AccountID, key.ID, err
}

func keyNamed(cmd *cobra.Command, a *bridge.Admin, id string) (mapping.Key, error) {
	key, err := a.Store.Key(cmd.Context(), id)
	if errors.Is(err, mapping.ErrNotFound) {
		return key, fmt.Errorf("no key is %q: `vexa-sso keys list` shows all", id)
	}
	return key, err
}
