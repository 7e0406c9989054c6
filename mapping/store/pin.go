package store

import "vexa-sso/mapping"

const selectPin = `SELECT subject, vexa_email, vexa_user_id, actor, created_at FROM pins `

func scanPin(row scanner) (p mapping.Pin, err error) {
	err = row.Scan(&p.Subject, &p.VexaEmail, &p.VexaUserID, &p.Actor, moment{&p.CreatedAt})
	return p, err
}

func (t *tx) Pin(subject string) (mapping.Pin, error) {
	return one(t, "reading the pin", scanPin, selectPin+`WHERE subject = $1`, subject)
}

func (t *tx) PutPin(p mapping.Pin) error {
	_, err := t.exec("writing the pin", `
		INSERT INTO pins (subject, vexa_email, vexa_user_id, actor, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (subject) DO UPDATE SET vexa_email = excluded.vexa_email,
			vexa_user_id = excluded.vexa_user_id, actor = excluded.actor,
			created_at = excluded.created_at`,
		p.Subject, p.VexaEmail, p.VexaUserID, p.Actor, micros(p.CreatedAt))
	return err
}

// DeletePin implements [mapping.Tx]; a pin that is not there is deleted already.
func (t *tx) DeletePin(subject string) error {
	_, err := t.exec("deleting the pin", `DELETE FROM pins WHERE subject = $1`, subject)
	return err
}
