package grpcx

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// begin reads the caller's trace and starts the span.
func (t *telemetry) begin(c *call) {
	ctx := t.extract(c.Context)
	mt := c.method.telemetry
	if !mt.spans {
		c.Context = ctx
		return
	}
	opts := mt.spanStart
	if t.public {
		opts = append(slices.Clip(opts), trace.WithNewRoot())
		if caller := trace.SpanContextFromContext(ctx); caller.IsValid() && caller.IsRemote() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: caller}))
		}
	}
	ctx, span := t.tracer.Start(ctx, c.method.name, opts...)
	if span.IsRecording() {
		c.span = span
		t.describe(ctx, c)
	}
	c.Context = ctx
}

// describe adds the attributes that differ from call to call.
func (t *telemetry) describe(ctx context.Context, c *call) {
	var attrs []attribute.KeyValue
	if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil {
		attrs = t.address.attributes(p.LocalAddr)
	}
	if c.method == c.path.unknown {
		attrs = append(attrs, semconv.RPCMethodOriginal(c.originalMethod()))
	}
	if t.identity {
		if id, ok := PeerIdentity(ctx); ok {
			attrs = append(attrs, attribute.String("grpcx.peer.identity", validText(id.String())))
		}
	}
	for _, key := range t.metadata {
		if values := metadata.ValueFromIncomingContext(ctx, key.name); len(values) > 0 {
			for i, value := range values {
				values[i] = truncate(value, maxMetadata) // of a copy of ours
			}
			attrs = append(attrs, key.key.StringSlice(values))
		}
	}
	c.span.SetAttributes(attrs...)
}

// maxMetadata bounds what a span shows of one value of metadata.
const maxMetadata = 1024

// end records how the call went. err is what the client got.
func (t *telemetry) end(c *call, err error) {
	st := status.Convert(err)
	if !c.returned && err == nil {
		st = status.New(codes.Internal, "the handler did not return") // and recovery is off
	}
	if aborted := c.aborted.Load(); aborted != nil {
		st = aborted
	}
	mt := c.method.telemetry
	r := mt.of(t, st.Code())
	if c.span != nil {
		if isServerError(st.Code()) {
			c.span.SetStatus(otelcodes.Error, validText(st.Message()))
		}
		c.span.SetAttributes(r.status...)
		c.span.End()
	}
	if t.duration == nil && t.oldDuration == nil {
		return
	}
	elapsed := time.Since(c.start).Seconds()
	if t.oldDuration != nil {
		t.oldDuration.Record(c, elapsed*1000, r.recordOld...)
	}
	if t.duration != nil {
		t.duration.Record(c, elapsed, r.record...)
	}
}
