package otlpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"testing/slogtest"

	"go.opentelemetry.io/otel/trace"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/otlpx"
)

// The handler in between is none to the one behind.
func TestHandlerConforms(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		buf.Reset()
		return otlpx.NewHandler(slog.NewJSONHandler(&buf, nil))
	}, func(t *testing.T) map[string]any {
		line := map[string]any{}
		assert.NoError(t, json.Unmarshal(buf.Bytes(), &line))
		return line
	})
}

func spanContext() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// Lines have the identifiers of the span, beside a group and not in it, once.
func TestHandlerIDs(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(&buf, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	ctx := spanContext()
	traceID, spanID := trace.SpanContextFromContext(ctx).TraceID().String(), trace.SpanContextFromContext(ctx).SpanID().String()
	ids := "trace_id=" + traceID + " span_id=" + spanID
	logger.InfoContext(ctx, "plain", "a", 1)
	logger.With("w", 0).WithGroup("g").With("x", 1).InfoContext(ctx, "grouped", "a", 1)
	logger.InfoContext(ctx, "given", "trace_id", traceID, "span_id", spanID)
	logger.Info("no span")
	logger.WithGroup("").With().Info("nothing")
	assert.Equal(t, buf.String(), "msg=plain a=1 "+ids+"\n"+
		"msg=grouped "+ids+" w=0 g.x=1 g.a=1\n"+
		"msg=given "+ids+"\n"+
		"msg=\"no span\"\nmsg=nothing\n")
}

// slog's initial handler behind slog.SetDefault would wait for itself; what takes
// its place does not.
func TestInitialHandler(t *testing.T) {
	initial := slog.Default()
	if got := fmt.Sprintf("%T", initial.Handler()); got != "*slog.defaultHandler" {
		t.Fatalf("slog's initial handler is a %s", got)
	}
	for _, next := range []slog.Handler{initial.Handler(), nil} {
		h := otlpx.NewHandler(next)
		assert.True(t, h.Enabled(t.Context(), slog.LevelInfo))
		assert.True(t, !h.Enabled(t.Context(), slog.LevelDebug))
		assert.Equal(t, h.WithAttrs(nil), slog.Handler(h))
	}
}
