package main

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
)

// tokenView is a token as JSON and tables show it: never its value.
type tokenView struct {
	ID        string   `json:"id"`
	Account   string   `json:"account"`
	Whose     string   `json:"whose"`
	Kind      string   `json:"kind"`
	Client    string   `json:"client,omitempty"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	CreatedAt string   `json:"created_at"`
	ExpiresAt string   `json:"expires_at"`
	UsedAt    string   `json:"used_at,omitempty"`
	UsedFrom  string   `json:"used_from,omitempty"`
}

func viewToken(o store.Owned[mapping.Token]) tokenView {
	t := o.Item
	return tokenView{
		t.ID, t.AccountID, whose(o.Owner), string(t.Kind), t.Client, t.Name, t.Scopes.List(),
		moment(t.CreatedAt), moment(t.ExpiresAt), moment(t.UsedAt), t.UsedFrom,
	}
}

var tokenHeading = []string{
	"TOKEN", "ACCOUNT", "WHOSE", "KIND", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "FROM",
}

func (v tokenView) row() []string {
	return []string{
		v.ID, v.Account, v.Whose, v.Kind, v.Name, strings.Join(v.Scopes, ","), v.CreatedAt, v.ExpiresAt,
		v.UsedAt, v.UsedFrom,
	}
}

func newTokensList() *cobra.Command {
	var d adminCommand
	var account string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens that programs show",
		Long: `List the tokens that we issued and that have not expired, the newest first: personal
ones, which people made for their programs, and what they let tools have, such as the command line.
A token is named by an id that opens nothing; its value is not stored. Its scopes are at most those
that are listed, and never more than its owner has now. When it was last used is exact to about a
minute.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, _ []string, a *bridge.Admin) error {
		return printList(cmd.OutOrStdout(), d.asJSON, tokensOf(cmd, a, account), viewToken, tokenHeading,
			tokenView.row)
	})
	d.flags(cmd, true)
	cmd.Flags().StringVar(&account, "account", "", "only of this `account`: an id, a subject or an email")
	return cmd
}

// tokensOf returns the tokens of an account, or all.
func tokensOf(
	cmd *cobra.Command, a *bridge.Admin, account string,
) iter.Seq2[store.Owned[mapping.Token], error] {
	if account == "" {
		return a.Store.ListTokens(cmd.Context())
	}
	acc, err := find(cmd.Context(), a, account)
	if err != nil {
		return listed[store.Owned[mapping.Token]](nil, err)
	}
	tokens, err := a.Accounts.TokensOf(cmd.Context(), acc.ID)
	return listed(ownedBy(tokens, acc), err)
}

func newTokensRevoke() *cobra.Command {
	var d adminCommand
	var account string
	var all bool
	cmd := &cobra.Command{
		Use:   "revoke TOKEN | revoke --account ACCOUNT | revoke --all",
		Short: "Revoke a token, or all of an account, or everybody's",
		Long: `Revoke a token, or with --account all of an account, or with --all everybody's.
Within a second the next request with it is 401 on every server, and its open streams end; the Vexa
keys that only it needed are deleted. It cannot be taken back. Its owner may make another at once:
to keep somebody out, suspend the account.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = d.with(func(cmd *cobra.Command, args []string, a *bridge.Admin) error {
		if err := exactlyOne("token", args, account, all); err != nil {
			return err
		}
		tokens := tokensOf(cmd, a, account)
		if len(args) == 1 {
			one, err := a.Store.Token(cmd.Context(), args[0])
			if errors.Is(err, mapping.ErrNotFound) {
				return unknownToken(args[0])
			}
			tokens = listed([]store.Owned[mapping.Token]{{Item: one}}, err)
		}
		revoked := 0
		for owned, err := range tokens {
			if err != nil {
				return err
			}
			t := owned.Item
			r := mapping.Revocation{
				Kind: mapping.RevokeToken, Account: t.AccountID, Token: t.ID, Reason: "revoked by an admin",
			}
			err = a.Accounts.Revoke(cmd.Context(), r, actor())
			if errors.Is(err, mapping.ErrNotFound) {
				continue // it ended by itself just now
			}
			if err != nil {
				return err
			}
			revoked++
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "revoked %s\n", counted(revoked, "token", "tokens"))
		return err
	})
	d.flags(cmd, false)
	cmd.Flags().StringVar(&account, "account", "",
		"all tokens of this `account`: an id, a subject or an email")
	cmd.Flags().BoolVar(&all, "all", false, "all tokens there are")
	return cmd
}

// unknownToken returns the error for an unknown id. What may be a token's value is not repeated, as it would
// get into logs.
func unknownToken(named string) error {
	for _, prefix := range []string{mapping.AccessValue, mapping.RefreshValue} {
		if strings.HasPrefix(named, prefix) {
			return errors.New("that is the value of a token, not its id: `vexa-sso tokens list` " +
				"shows the ids")
		}
	}
	return fmt.Errorf("no token is %q: `vexa-sso tokens list` shows all", named)
}
