package exchange

import (
	"context"
	"log/slog"
)

// Finish logs and counts a request, once, when it is over. Neither the log nor a metric ever holds a query, a
// header or a body (S2).
func (e *Edge) Finish(ctx context.Context, ex *Exchange, method string) {
	took := e.Now().Sub(ex.Start)
	if ex.Label == "" {
		ex.Label = "none"
	}
	e.Metrics.observe(ex, took)
	if !e.Log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var attrs [16]slog.Attr
	n := copy(attrs[:], []slog.Attr{
		slog.String("method", method), slog.String("path", ex.Path),
		slog.String("route", ex.Label), slog.Int("status", ex.Status),
		slog.Int64("bytes", ex.Sent), slog.Int64("took_us", took.Microseconds()),
		slog.Int64("upstream_us", ex.Upstream.Microseconds()),
		slog.String("address", ex.Address), slog.String("credential", ex.Credential),
		slog.String("trace_id", ex.TraceID),
	})
	if ex.Code != "" {
		attrs[n] = slog.String("code", string(ex.Code))
		n++
	}
	if who := ex.Who; who.Account != "" {
		attrs[n], attrs[n+1] = slog.String("account", who.Account), slog.String("provider", who.Provider)
		n += 2
		if who.CredentialID != "" {
			attrs[n] = slog.String("credential_id", who.CredentialID)
			n++
		}
		attrs[n] = slog.String("rules", who.Rules)
		n++
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "request", attrs[:n]...)
}
