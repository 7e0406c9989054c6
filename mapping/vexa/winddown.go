package vexa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"vexa-sso/oidc/address"
)

// WoundDown says what WindDown ended, and in Left, in words, what it could not.
type WoundDown struct {
	Bots      int
	Webhook   bool
	Calendars int
	Routines  int
	Left      []string
}

// Done says in words what was ended.
func (w WoundDown) Done() (done []string) {
	if w.Bots > 0 {
		done = append(done, fmt.Sprintf("bots stopped: %d", w.Bots))
	}
	if w.Webhook {
		done = append(done, "webhook removed")
	}
	if w.Calendars > 0 {
		done = append(done, fmt.Sprintf("calendars removed: %d", w.Calendars))
	}
	if w.Routines > 0 {
		done = append(done, fmt.Sprintf("agent routines switched off: %d", w.Routines))
	}
	return done
}

// WindDown ends what goes on at Vexa in the name of a user, with a key of theirs, through the gateway, like
// they would: running bots are stopped, the webhook and the calendars that would send others are taken away,
// and the agent's routines, which no key of theirs is asked for, are switched off. Without a key only that is
// ended which the Admin API can end. What the generation does not have is no loss. What Vexa has no call for
// is in Left as well.
func (c *Client) WindDown(ctx context.Context, user User, key string) WoundDown {
	w := &windDown{client: c, user: user, key: key}
	for _, end := range []struct {
		what string
		end  func(context.Context) error
	}{
		{"bots", w.stopBots},
		{"the webhook", w.clearWebhook},
		{"the calendars", w.deleteCalendars},
		{"the calendar", w.clearCalendar},
		{"the agent's routines", w.stopRoutines},
	} {
		if err := end.end(ctx); err != nil {
			w.Left = append(w.Left, fmt.Sprintf("%s: %v", end.what, err))
		}
	}
	w.Left = append(w.Left, shareLinks)
	return w.WoundDown
}

// shareLinks cannot even be counted.
const shareLinks = "share links that were handed out: Vexa has no call that ends them; they expire by themselves"

type windDown struct {
	client *Client
	user   User
	key    string
	WoundDown
}

// errAbsent: the gateway has no such thing.
var errAbsent = errors.New("there is none")

// errNoKey: there is nothing to ask the gateway with.
var errNoKey = errors.New("there is no key of the user to end that with")

// ask makes a call with the user's key and reads the answer into into, unless that is nil.
func (w *windDown) ask(ctx context.Context, method, path string, body, into any) error {
	if w.key == "" {
		return errNoKey
	}
	got, err := w.client.do(ctx,
		call{
			op: method + " as the user", method: method, url: w.client.gateway + path, body: body,
			header: "X-API-Key", secret: w.key,
		})
	switch {
	case err != nil:
		return err
	case got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed:
		return errAbsent
	case got.status >= http.StatusMultipleChoices:
		return fmt.Errorf("the gateway answered %d", got.status)
	case into != nil && json.Unmarshal(got.body, into) != nil:
		return errors.New("the gateway's answer does not parse")
	}
	return nil
}

func (w *windDown) stopBots(ctx context.Context) error {
	var status struct {
		Running []struct {
			Platform string `json:"platform"`
			NativeID string `json:"native_meeting_id"`
		} `json:"running_bots"`
	}
	if err := w.ask(ctx, http.MethodGet, "/bots/status", nil, &status); err != nil {
		return err
	}
	for _, bot := range status.Running {
		err := w.ask(ctx, http.MethodDelete,
			"/bots/"+url.PathEscape(bot.Platform)+"/"+url.PathEscape(bot.NativeID), nil, nil)
		if err != nil && !errors.Is(err, errAbsent) {
			return fmt.Errorf("one did not stop: %w", err)
		}
		w.Bots++
	}
	return nil
}

// withWebhook is a user of whom we want to know the webhook.
type withWebhook struct {
	User
	Data struct {
		URL string `json:"webhook_url"`
	} `json:"data"`
}

// clearWebhook takes the webhook away, and believes only the answer.
func (w *windDown) clearWebhook(ctx context.Context) error {
	generation, err := w.client.Generation(ctx)
	if err != nil {
		return err
	}
	clearIt := w.clearWebhook012
	if generation == Gen010 {
		clearIt = w.clearWebhook010
	}
	after, had, err := clearIt(ctx)
	switch {
	case err != nil || !had:
		return err
	case after.Data.URL != "":
		return errors.New("it is still there, says Vexa")
	}
	w.Webhook = true
	return nil
}

// clearWebhook012 sets an empty address, since there is nothing that deletes one.
func (w *windDown) clearWebhook012(ctx context.Context) (after withWebhook, had bool, err error) {
	var before struct {
		URL string `json:"webhook_url"`
	}
	if err := w.ask(ctx, http.MethodGet, "/user/webhook", nil, &before); err != nil || before.URL == "" {
		return after, false, err
	}
	err = w.ask(ctx, http.MethodPut, "/user/webhook", map[string]string{"webhook_url": ""}, &after)
	return after, true, err
}

// clearWebhook010 has the Admin API merge a null into the user's data: the user's own route takes nothing but
// addresses. Ids start again at 1 when a Vexa is set up anew, so it looks first whose it is.
func (w *windDown) clearWebhook010(ctx context.Context) (after withWebhook, had bool, err error) {
	path := fmt.Sprintf("/admin/users/%d", w.user.ID)
	before, err := w.asAdmin(ctx, http.MethodGet, path, nil)
	switch {
	case err != nil:
		return after, false, err
	case !address.Same(before.Email, w.user.Email):
		return after, false, errors.New("the Vexa user is not who it was")
	case before.Data.URL == "":
		return after, false, nil
	}
	null := map[string]any{"data": map[string]any{"webhook_url": nil}}
	after, err = w.asAdmin(ctx, http.MethodPatch, path, null)
	return after, true, err
}

func (w *windDown) asAdmin(
	ctx context.Context, method, path string, body any,
) (user withWebhook, err error) {
	what := w.client.adminCall("clear the webhook", method, path, body)
	got, err := w.client.do(ctx, what)
	if err != nil {
		return user, err
	}
	if got.status != http.StatusOK {
		return user, got.refusal(what.op)
	}
	return user, got.decode(what.op, &user)
}

func (w *windDown) deleteCalendars(ctx context.Context) error {
	var list struct {
		Calendars []struct {
			ID json.RawMessage `json:"id"` // a text or a number
		} `json:"calendars"`
	}
	err := w.ask(ctx, http.MethodGet, "/user/calendars", nil, &list)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, calendar := range list.Calendars {
		id := string(calendar.ID)
		_ = json.Unmarshal(calendar.ID, &id) // a number stays as it is written
		err := w.ask(ctx, http.MethodDelete, "/user/calendars/"+url.PathEscape(id), nil, nil)
		if err != nil && !errors.Is(err, errAbsent) {
			return fmt.Errorf("one could not be removed: %w", err)
		}
		w.Calendars++
	}
	return nil
}

// clearCalendar takes the one calendar away that older users of 0.12 have.
func (w *windDown) clearCalendar(ctx context.Context) error {
	var calendar struct {
		Set bool `json:"ics_url_set"`
	}
	err := w.ask(ctx, http.MethodGet, "/user/calendar", nil, &calendar)
	if errors.Is(err, errAbsent) || err == nil && !calendar.Set {
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.ask(ctx, http.MethodPut, "/user/calendar", map[string]string{"ics_url": ""},
		&calendar); err != nil {
		return err
	}
	if calendar.Set {
		return errors.New("it is still there, says Vexa")
	}
	w.Calendars++
	return nil
}
