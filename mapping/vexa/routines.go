package vexa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// routine is something that the agent of 0.12 does on a schedule.
type routine struct {
	ID      string `json:"id"`
	Name    string `json:"routine_name"` // of the file in the user's workspace that it is written in
	Enabled bool   `json:"enabled"`
}

// stopRoutines switches the agent's routines off, and looks whether they are.
func (w *windDown) stopRoutines(ctx context.Context) error {
	before, err := w.routines(ctx)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed error
	for _, r := range before {
		failed = errors.Join(failed, w.stopRoutine(ctx, r))
	}
	if len(before) == 0 {
		return nil
	}
	after, err := w.routines(ctx)
	if err != nil {
		return errors.Join(failed, err)
	}
	w.Routines = max(len(before)-len(after), 0)
	if len(after) > 0 {
		return errors.Join(fmt.Errorf("%d of them go on", len(after)), failed)
	}
	return nil
}

// routines returns those that are switched on.
func (w *windDown) routines(ctx context.Context) (on []routine, err error) {
	var list struct {
		Routines []routine `json:"routines"`
	}
	if err := w.ask(ctx, http.MethodGet, "/agent/routines", nil, &list); err != nil {
		return nil, err
	}
	for _, r := range list.Routines {
		if r.Enabled {
			on = append(on, r)
		}
	}
	return on, nil
}

// stopRoutine switches one off where it is written in a file, so that nothing is lost. Only where there is no
// file is it deleted: to delete one that has a file lasts until the workspace is looked through again.
func (w *windDown) stopRoutine(ctx context.Context, r routine) error {
	err := errAbsent
	if oneSegment(r.Name) {
		err = w.ask(ctx, http.MethodPatch, "/agent/routines/"+url.PathEscape(r.Name)+"/enabled",
			map[string]bool{"enabled": false}, nil)
	}
	if errors.Is(err, errAbsent) && oneSegment(r.ID) {
		err = w.ask(ctx, http.MethodDelete, "/agent/routines/"+url.PathEscape(r.ID), nil, nil)
	}
	if errors.Is(err, errAbsent) {
		return nil // gone, or else it is still in the list
	}
	return err
}

// oneSegment says whether a name that a person chose stays one segment of a path however the gateway reads
// it.
func oneSegment(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, `/\%?#;`) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
