package authserver_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

// unknown is a value in good shape that nobody was ever given.
func unknown(t testing.TB, prefix string) string {
	t.Helper()
	value, err := mapping.NewTokenValue(rand.Reader, prefix)
	proxytest.Must(t, err)
	return value
}

func revocation(value string) url.Values {
	return url.Values{"client_id": {authserver.CommandLine}, "token": {value}}
}

// S12: whatever programs at one address do wrong over and over, each with what it has, keeps no other program
// there from what is its own.
func TestNeighboursAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	given := w.post(tokenPath, exchange(w.browser().codeFor(ada, request()))).json(t)
	waiting, impatient := w.device(), w.device()
	refresh, code, device, access := unknown(t, "vssr_"), unknown(t, "vssc_"), unknown(t, "vssd_"),
		unknown(t, "vsso_")
	for what, c := range map[string]struct {
		path string
		form url.Values
		want int
	}{
		"a dead refresh value":   {tokenPath, renewal(refresh), http.StatusBadRequest},
		"a dead code":            {tokenPath, exchange(code), http.StatusBadRequest},
		"a dead device code":     {tokenPath, polling(device), http.StatusBadRequest},
		"a value ended long ago": {"/sso/oauth/revoke", revocation(access), http.StatusOK},
		"no value":               {tokenPath, renewal("nonsense"), http.StatusBadRequest},
		"no client": {
			tokenPath, renewal(refresh, "client_id", "nobody"), http.StatusUnauthorized,
		},
		"a device in a hurry": {tokenPath, polling(impatient.code), http.StatusBadRequest},
		"nothing to revoke":   {"/sso/oauth/revoke", revocation("nonsense"), http.StatusOK},
	} {
		for i := range 120 {
			if a := w.post(c.path, c.form); a.Status != c.want {
				t.Fatalf("%s, time %d: %d %s", what, i, a.Status, a.Body)
			}
		}
	}
	if a := w.post(tokenPath, renewal(given["refresh_token"])); a.Status != http.StatusOK {
		t.Errorf("a good refresh value: %d %s", a.Status, a.Body)
	}
	if got := w.poll(waiting); got != "authorization_pending" {
		t.Errorf("a device that waits: %s", got)
	}
	if a := w.askDevice(); a.Status != http.StatusOK {
		t.Errorf("another device: %d %s", a.Status, a.Body)
	}
}

// S12: who makes up values that only the store can tell from good ones waits after a hundred. What is known
// to be dead, and what needs no look into the store, is answered all the same.
func TestMadeUpValuesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	dead := unknown(t, "vssr_")
	kinds := []func() answer{
		func() answer { return w.post(tokenPath, renewal(unknown(t, "vssr_"))) },
		func() answer { return w.post(tokenPath, exchange(unknown(t, "vssc_"))) },
		func() answer { return w.post(tokenPath, polling(unknown(t, "vssd_"))) },
		func() answer { return w.post("/sso/oauth/revoke", revocation(unknown(t, "vsso_"))) },
	}
	w.post(tokenPath, renewal(dead))
	for i := range 99 {
		if a := kinds[i%4](); a.Status == http.StatusTooManyRequests {
			t.Fatalf("value %d: %s", i, a.Body)
		}
	}
	for i, show := range kinds {
		a := show()
		if status, got := a.refusal(t); status != http.StatusTooManyRequests || got != "slow_down" ||
			a.Header.Get("Retry-After") != "1" {
			t.Errorf("kind %d: %d %s %v", i, status, got, a.Header)
		}
	}
	for what, value := range map[string]string{"dead": dead, "in bad shape": "nonsense"} {
		for range 20 {
			if status, got := w.post(tokenPath, renewal(value)).refusal(t); status != http.StatusBadRequest ||
				got != "invalid_grant" {
				t.Fatalf("a value that is %s: %d %s", what, status, got)
			}
		}
	}
	w.Clock.Advance(time.Second)
	for i := range 10 {
		if a := kinds[0](); a.Status == http.StatusTooManyRequests {
			t.Errorf("a second later, value %d: %s", i, a.Body)
		}
	}
}

// For a minute nobody asks the store about a value that was found dead.
func TestDeadValuesAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	spent := w.browser().codeFor(ada, request())
	for range 2 {
		w.post(tokenPath, exchange(spent))
	}
	dead := map[string]url.Values{
		"refresh": renewal(unknown(t, "vssr_")), "code": exchange(unknown(t, "vssc_")),
		"device": polling(unknown(t, "vssd_")), "spent": exchange(spent),
	}
	for _, form := range dead {
		w.post(tokenPath, form)
	}
	proxytest.Must(t, w.Store.Close())
	for _, want := range []int{http.StatusBadRequest, http.StatusServiceUnavailable} {
		for what, form := range dead {
			if a := w.post(tokenPath, form); a.Status != want {
				t.Errorf("%s: %d %s, want %d", what, a.Status, a.Body, want)
			}
		}
		w.Clock.Advance(time.Minute)
	}
}

// Another client's value is dead for who shows it, and good for whose it is.
func TestDeadForOneClientAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	value := fmt.Sprint(w.post(tokenPath, exchange(w.browser().codeFor(ada, request()))).
		json(t)["refresh_token"])
	for range 2 {
		if status, got := w.post(tokenPath, renewal(value, "client_id", "web")).
			refusal(t); status != http.StatusBadRequest || got != "invalid_grant" {
			t.Errorf("%d %s", status, got)
		}
	}
	if a := w.post(tokenPath, renewal(value)); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
