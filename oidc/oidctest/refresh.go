package oidctest

// turn gives the refresh token to use after this one: the same for a static client, a new one for a rotating
// one. A replaced token that comes back after the client's leeway is stolen or lost, and revokes everything
// of its sign-in. It needs ledger.mu.
func (d *Double) turn(shown string, token *issuedRefresh, client Client) (next string, ok bool) {
	if !token.replaced.IsZero() && !d.now().Before(token.replaced.Add(client.Leeway)) {
		token.revoked = true
		return "", false
	}
	token.lastUsed = d.now()
	if !client.RotateRefresh {
		return shown, true
	}
	if token.replaced.IsZero() {
		token.replaced = d.now()
	}
	return d.newRefresh(token.grant), true
}

// newRefresh needs ledger.mu.
func (d *Double) newRefresh(g *grant) string {
	token := d.random.token(32)
	d.ledger.refresh.Add(token, &issuedRefresh{grant: g, lastUsed: d.now()})
	return token
}
