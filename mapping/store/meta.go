package store

import "context"

// Meta returns what was noted under that name about the data as a whole; mapping.ErrNotFound when nothing
// was. The program notes there which key rings sealed the data.
func (s *Store) Meta(ctx context.Context, name string) (value string, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		value, err = one(t, "reading the note "+name, scanText,
			`SELECT value FROM meta WHERE name = $1`, name)
		return err
	})
	return value, err
}

// SetMeta notes something about the data as a whole, in place of what was noted under that name before.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("writing the note "+name, `
			INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE
				SET value = excluded.value`, name, value)
		return err
	})
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}
