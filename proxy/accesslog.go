package proxy

import (
	"context"
	"log/slog"
)

// finish says what happened, once, when a request is over: one line in the log, one count in the metrics. Neither ever holds a
// query, a header or a body (S2).
func (p *Proxy) finish(ctx context.Context, ex *exchange, method string) {
	took := p.now().Sub(ex.start)
	if ex.label == "" {
		ex.label = "none"
	}
	p.metrics.observe(ex, took)
	if !p.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var attrs [16]slog.Attr
	n := copy(attrs[:], []slog.Attr{
		slog.String("method", method), slog.String("path", ex.path), slog.String("route", ex.label), slog.Int("status", ex.status),
		slog.Int64("bytes", ex.sent), slog.Int64("took_us", took.Microseconds()), slog.Int64("upstream_us", ex.upstream.Microseconds()),
		slog.String("address", ex.address), slog.String("credential", ex.credential), slog.String("trace_id", ex.traceID),
	})
	if ex.code != "" {
		attrs[n] = slog.String("code", string(ex.code))
		n++
	}
	if c := ex.caller; c != nil {
		attrs[n], attrs[n+1] = slog.String("account", c.account.ID), slog.String("provider", c.account.Provider)
		n += 2
		if c.credentialID != "" {
			attrs[n] = slog.String("credential_id", c.credentialID)
			n++
		}
		if v := c.view.Load(); v != nil {
			attrs[n] = slog.String("rules", v.matched)
			n++
		}
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs[:n]...)
}
