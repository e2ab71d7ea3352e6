package otlpx

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

const (
	scopeName = "github.com/grpcx-go/sdk/otlpx"

	traceIDKey = "trace_id"
	spanIDKey  = "span_id"
)

// Handler is a [slog.Handler] that hands each line on to another one, with the
// trace_id and span_id of the context's span, and exports it while a server with
// [New] serves. The server's own lines need none. A program whose own lines are
// to be exported too makes its logger with one, and gives that to the server, by
// slog.SetDefault or grpcx.WithLogger:
//
//	slog.SetDefault(slog.New(otlpx.NewHandler(slog.NewJSONHandler(os.Stderr, nil))))
//
// What the other handler does not want, by its level, is not exported either.
// Where several servers serve, the last one to begin exports.
type Handler struct {
	link *link
	base slog.Handler                      // as given
	with []func(slog.Handler) slog.Handler // what WithAttrs and WithGroup added since
	next slog.Handler                      // base with that
	open bool                              // in a group

	cached atomic.Pointer[attached]
}

// link is what a handler and those derived from it share.
type link struct {
	mu    sync.Mutex
	all   []*slog.Handler
	owner atomic.Pointer[slog.Handler] // the last of all; nil: nothing is exported
}

// attached is the exporting handler with what WithAttrs and WithGroup added.
type attached struct {
	to      *slog.Handler
	handler slog.Handler
}

// NewHandler returns a handler in front of next. Nil and slog's initial handler,
// which writes to package log and cannot be wrapped without a deadlock, are
// replaced by a [slog.TextHandler] of the standard error.
func NewHandler(next slog.Handler) *Handler {
	if next == nil || isInitial(next) {
		next = slog.NewTextHandler(os.Stderr, nil)
	}
	return newHandler(next)
}

func newHandler(next slog.Handler) *Handler { return &Handler{link: &link{}, base: next, next: next} }

// exporting returns the logger's own Handler, or one in front of its handler.
func exporting(logger *slog.Logger) *Handler {
	if h, ok := logger.Handler().(*Handler); ok {
		return h
	}
	return newHandler(logger.Handler())
}

// plain is the handler without export.
func (h *Handler) plain() slog.Handler { return h.next }

// attach exports the lines to a provider, until detach.
func (h *Handler) attach(provider log.LoggerProvider) (detach func()) {
	var to slog.Handler = otelslog.NewHandler(scopeName, otelslog.WithLoggerProvider(provider))
	l := h.link
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, &to)
	l.owner.Store(&to)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = slices.DeleteFunc(l.all, func(p *slog.Handler) bool { return p == &to })
		if n := len(l.all); n > 0 {
			l.owner.Store(l.all[n-1])
		} else {
			l.owner.Store(nil)
		}
	}
}

// Enabled reports whether the next handler wants the level.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle hands the record on and exports it. The error is the next handler's;
// an export never fails here, nor waits.
func (h *Handler) Handle(ctx context.Context, record slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if to := h.exporter(); to != nil {
		_ = to.Handle(ctx, withoutIDs(record, span))
	}
	if !span.IsValid() || hasIDs(record) {
		return h.next.Handle(ctx, record)
	}
	ids := []slog.Attr{slog.String(traceIDKey, span.TraceID().String()), slog.String(spanIDKey, span.SpanID().String())}
	if h.open {
		return h.replay(h.base.WithAttrs(ids)).Handle(ctx, record) // beside the group, not in it
	}
	record = record.Clone()
	record.AddAttrs(ids...)
	return h.next.Handle(ctx, record)
}

// exporter is where lines are exported; nil when they are not.
func (h *Handler) exporter() slog.Handler {
	to := h.link.owner.Load()
	if to == nil {
		return nil
	}
	if have := h.cached.Load(); have != nil && have.to == to {
		return have.handler
	}
	made := &attached{to, h.replay(*to)}
	h.cached.Store(made)
	return made.handler
}

func (h *Handler) replay(to slog.Handler) slog.Handler {
	for _, with := range h.with {
		to = with(to)
	}
	return to
}

// WithAttrs returns a handler whose lines have the attributes.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.and(h.open, func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup returns a handler whose further attributes are in a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.and(true, func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *Handler) and(open bool, with func(slog.Handler) slog.Handler) slog.Handler {
	return &Handler{link: h.link, base: h.base, with: append(slices.Clip(h.with), with), next: with(h.next), open: open}
}

func hasIDs(record slog.Record) (found bool) {
	record.Attrs(func(a slog.Attr) bool {
		found = a.Key == traceIDKey
		return !found
	})
	return found
}

// withoutIDs leaves out the identifiers that the exported record has in fields
// of its own.
func withoutIDs(record slog.Record, span trace.SpanContext) slog.Record {
	if !span.IsValid() || !hasIDs(record) {
		return record
	}
	out := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(a slog.Attr) bool {
		if a.Key != traceIDKey && a.Key != spanIDKey {
			out.AddAttrs(a)
		}
		return true
	})
	return out
}
