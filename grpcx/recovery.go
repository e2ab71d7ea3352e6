package grpcx

import (
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// crashed handles a handler or interceptor that did not return: value is what
// it panicked with, or nil when it called runtime.Goexit. The client learns an
// id; the value and the stack go to the log.
func (c *call) crashed(value any, stack []byte) error {
	id := newErrorID()
	st := status.New(codes.Internal, "internal error, id "+id)
	if t := c.path.telemetry; t != nil && t.panics != nil {
		t.panics.Add(c, 1, metric.WithAttributes(semconv.RPCMethod(c.method.name)))
	}
	msg := "grpcx: panic in a handler"
	attrs := append(c.attrs(codes.Internal), slog.String("error.id", id))
	if value != nil {
		attrs = append(attrs, slog.String("panic", fmt.Sprint(value)))
	} else {
		msg = "grpcx: a handler called runtime.Goexit"
	}
	c.path.log().LogAttrs(c, slog.LevelError, msg, append(attrs, slog.String("stack", string(stack)))...)
	if value == nil {
		// The goroutine is ending: nobody sends the error that the woven
		// handler would return, and the stream would stay open for good.
		c.abort(st)
	}
	return st.Err()
}
