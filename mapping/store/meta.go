package store

import (
	"context"
	"errors"

	"vexa-sso/mapping"
)

// Meta returns what was noted under that name about the data as a whole; mapping.ErrNotFound when nothing
// was. The program notes there which key rings sealed the data.
func (s *Store) Meta(ctx context.Context, name string) (value string, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		value, err = t.note(name)
		return err
	})
	return value, err
}

// SetMeta notes something about the data as a whole, in place of what was noted under that name before.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	return s.write(ctx, func(t *tx) error { return t.PutNote(name, value) })
}

// Note implements [mapping.PageTx].
func (t *tx) Note(name string) (string, error) {
	value, err := t.note(name)
	if errors.Is(err, mapping.ErrNotFound) {
		return "", nil
	}
	return value, err
}

// PutNote implements [mapping.PageTx].
func (t *tx) PutNote(name, value string) error {
	_, err := t.exec("writing the note "+name, `
		INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

func (t *tx) note(name string) (string, error) {
	return one(t, "reading the note "+name, scanText, `SELECT value FROM meta WHERE name = $1`, name)
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}
