package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
)

func TestPins(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		ada := account("ada", 0)
		put(t, s, ada)
		first := mapping.Pin{
			Subject: ada.Subject, VexaEmail: "team@acme.example", VexaUserID: 7,
			Actor: "cli:root", CreatedAt: at(2),
		}
		second := mapping.Pin{
			Subject: "oidc:https://idp.example#new", VexaEmail: "x@acme.example",
			VexaUserID: 8, CreatedAt: at(1),
		}
		update(t, s, func(tx mapping.Tx) error { return errors.Join(tx.PutPin(first), tx.PutPin(second)) })
		view(t, s, func(tx mapping.Tx) error {
			got, err := tx.Pin(ada.Subject)
			if diff := cmp.Diff(first, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			all, err := tx.PinsAfter("", 10)
			if diff := cmp.Diff([]mapping.Pin{second, first}, all); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			acc, err := tx.Account("ada")
			if err != nil || !acc.Pinned {
				t.Errorf("the account does not know: %+v, %v", acc, err)
			}
			_, err = tx.Pin("okta:nobody")
			if !errors.Is(err, mapping.ErrNotFound) {
				t.Error(err)
			}
			return nil
		})
		first.VexaUserID = 9
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutPin(first), tx.DeletePin(second.Subject), tx.DeletePin("okta:nobody"))
		})
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.PinsAfter("", 10)
			if diff := cmp.Diff([]mapping.Pin{first}, all); diff != "" {
				t.Error(diff)
			}
			return err
		})
	})
}

func TestHolds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		unknown := mapping.BotBlock{
			VexaUserID: 7, VexaEmail: "ada@acme.example", AccountID: "ada",
			State: mapping.BotBlockSetting, Since: at(2),
		}
		none := 0
		known := mapping.BotBlock{
			VexaUserID: 8, VexaEmail: "tim@acme.example", AccountID: "tim", State: mapping.BotBlockSet,
			FormerBots: &none, ForeignTokens: true,
			Since: at(1), Attempts: 3, RetryAt: at(9),
		}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutBotBlock(unknown), tx.PutBotBlock(known))
		})
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.BotBlocksDue(at(9), 10)
			if diff := cmp.Diff([]mapping.BotBlock{unknown, known}, all); diff != "" {
				t.Error(diff)
			}
			return err
		})
		minusOne := -1 // which 0.10 takes
		unknown.FormerBots, unknown.State = &minusOne, mapping.BotBlockLifting
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutBotBlock(unknown), tx.DeleteBotBlock(8), tx.DeleteBotBlock(99))
		})
		view(t, s, func(tx mapping.Tx) error {
			got, err := tx.BotBlock(7)
			if diff := cmp.Diff(unknown, got); diff != "" {
				t.Error(diff)
			}
			if _, err := tx.BotBlock(8); !errors.Is(err, mapping.ErrNotFound) {
				t.Error(err)
			}
			return err
		})
	})
}
