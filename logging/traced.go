package logging

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// traced adds the ids of the context's span to each record.
//
// slog puts the attributes of a record into the group that is open. To keep the ids at the top level, a traced
// handler remembers the handler before the first group, and what was derived since, and derives it again behind
// the ids. Only loggers with an open group pay for that.
type traced struct {
	next    slog.Handler                      // everything applied
	top     slog.Handler                      // nil until a group is opened: next as it was before that
	derived []func(slog.Handler) slog.Handler // the steps from top to next
}

func (h traced) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return h.next.Handle(ctx, r)
	}
	ids := []slog.Attr{
		slog.String("trace_id", span.TraceID().String()),
		slog.String("span_id", span.SpanID().String()),
	}
	if h.top == nil {
		r = r.Clone() // other handlers may hold the same record
		r.AddAttrs(ids...)
		return h.next.Handle(ctx, r)
	}
	next := h.top.WithAttrs(ids)
	for _, step := range h.derived {
		next = step(next)
	}
	return next.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h traced) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	if h.top == nil {
		h.top = h.next
	}
	return h.derive(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h traced) derive(step func(slog.Handler) slog.Handler) slog.Handler {
	h.next = step(h.next)
	if h.top != nil {
		h.derived = append(slices.Clip(h.derived), step)
	}
	return h
}
