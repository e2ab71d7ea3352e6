package grpcx

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
)

// A loggerChoice is the logger of the moment: the one of a set-up hook, else the
// option's, else slog.Default().
type loggerChoice struct {
	option *slog.Logger
	setup  atomic.Pointer[slog.Logger]
}

func (c *loggerChoice) current() *slog.Logger {
	if log := c.setup.Load(); log != nil {
		return log
	}
	if c.option != nil {
		return c.option
	}
	return slog.Default()
}

// following is a logger for what is built before the set-up hooks run: each line
// goes to the logger of the moment.
func (c *loggerChoice) following() *slog.Logger { return slog.New(&followingHandler{choice: c}) }

// A followingHandler repeats WithAttrs and WithGroup on the handler of the
// moment. Lines are rare where it is used.
type followingHandler struct {
	choice *loggerChoice
	with   []func(slog.Handler) slog.Handler
}

func (h *followingHandler) handler() slog.Handler {
	to := h.choice.current().Handler()
	for _, with := range h.with {
		to = with(to)
	}
	return to
}

func (h *followingHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.handler().Enabled(ctx, level)
}

func (h *followingHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.handler().Handle(ctx, r)
}

func (h *followingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h *followingHandler) WithGroup(name string) slog.Handler {
	return h.and(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *followingHandler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	return &followingHandler{h.choice, append(slices.Clip(h.with), with)}
}
