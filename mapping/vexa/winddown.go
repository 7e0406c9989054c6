package vexa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// WoundDown says what WindDown ended, and in Left, in words, what it could not.
type WoundDown struct {
	Bots      int
	Webhook   bool
	Calendars int
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
	return done
}

// WindDown ends what goes on at Vexa in the name of a key's user, through the gateway, like the user would:
// running bots are stopped, the webhook and the calendars that would send others are taken away. What the
// generation does not have is no loss.
func (c *Client) WindDown(ctx context.Context, key string) WoundDown {
	w := &windDown{client: c, key: key}
	for _, end := range []struct {
		what string
		end  func(context.Context) error
	}{
		{"bots", w.stopBots},
		{"the webhook", w.clearWebhook},
		{"the calendars", w.deleteCalendars},
		{"the calendar", w.clearCalendar},
	} {
		if err := end.end(ctx); err != nil {
			w.Left = append(w.Left, fmt.Sprintf("%s: %v", end.what, err))
		}
	}
	return w.WoundDown
}

type windDown struct {
	client *Client
	key    string
	WoundDown
}

// errAbsent: the gateway has no such thing.
var errAbsent = errors.New("there is none")

// ask makes a call with the user's key and reads the answer into into, unless that is nil.
func (w *windDown) ask(ctx context.Context, method, path string, body, into any) error {
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

// clearWebhook sets an empty address, since there is nothing that deletes one, and believes only the answer.
func (w *windDown) clearWebhook(ctx context.Context) error {
	var before struct {
		URL string `json:"webhook_url"`
	}
	err := w.ask(ctx, http.MethodGet, "/user/webhook", nil, &before)
	if err == nil && before.URL == "" {
		return nil
	}
	if err != nil && !errors.Is(err, errAbsent) { // 0.10 does not show it
		return err
	}
	var user struct {
		Data struct {
			URL string `json:"webhook_url"`
		} `json:"data"`
	}
	if err := w.ask(ctx, http.MethodPut, "/user/webhook", map[string]string{"webhook_url": ""},
		&user); err != nil {
		return err
	}
	if user.Data.URL != "" {
		return errors.New("it is still there, says Vexa")
	}
	w.Webhook = true
	return nil
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
