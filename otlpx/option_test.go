package otlpx_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/otlpx"
)

// globals are what a program may have set for the whole process.
func globals() []any {
	return []any{
		otel.GetTextMapPropagator(), otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetLoggerProvider(), otel.GetErrorHandler(),
		slog.Default().Handler(),
	}
}

// Nothing global changes, unless WithGlobal says so, and then only while the
// server serves.
func TestGlobal(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	before := globals()

	srv := grpcxtest.New(t, otlpx.New(), withService(nil))
	assert.Equal(t, globals(), before)
	assert.NoError(t, srv.Stop())
	assert.Equal(t, globals(), before)

	srv = grpcxtest.New(t, otlpx.New(otlpx.WithGlobal()), withService(func(ctx context.Context) error {
		_, span := otel.Tracer("library").Start(ctx, "query")
		span.End()
		counter, err := otel.Meter("library").Int64Counter("library.queries")
		counter.Add(ctx, 1)
		var record log.Record
		record.SetBody(attribute.StringValue("from a library"))
		otel.Logger("library").Emit(ctx, record)
		return err
	}))
	assert.Equal(t, slices.Sorted(slices.Values(otel.GetTextMapPropagator().Fields())), []string{"baggage", "traceparent", "tracestate"})
	call(t, srv.Conn)
	assert.NoError(t, srv.Stop())
	assert.Equal(t, id(spanOf(t, c, "query").GetParentSpanId()), id(spanOf(t, c, method).GetSpanId()))
	assert.Equal(t, c.scopes["library.queries"], "library")
	assert.Equal(t, len(logsOf(c, "from a library")), 1)
	assert.Equal(t, globals(), before)
}

// What is said twice is refused, with both remedies.
func TestTaken(t *testing.T) {
	clearEnv(t)
	tests := map[string]struct {
		option grpcx.Option
		want   []string
	}{
		"tracer":     {grpcx.WithTracerProvider(tracenoop.NewTracerProvider()), []string{"WithTracerProvider", "OTEL_TRACES_EXPORTER=none"}},
		"meter":      {grpcx.WithMeterProvider(metricnoop.NewMeterProvider()), []string{"WithMeterProvider", "OTEL_METRICS_EXPORTER=none", "otlpx.WithMetricReader"}},
		"propagator": {grpcx.WithPropagator(propagation.Baggage{}), []string{"WithPropagator", "OTEL_PROPAGATORS"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv, err := grpcx.New(grpcx.WithInsecure(), tt.option, otlpx.New(otlpx.WithDialer((&memory{}).dial)))
			assert.NoError(t, err)
			assert.ErrorContains(t, srv.Serve(t.Context(), bufconn.Listen(1)), tt.want...)
		})
	}
	t.Run("kept", func(t *testing.T) {
		for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
			t.Setenv("OTEL_"+signal+"_EXPORTER", "none")
		}
		srv := grpcxtest.New(t, tests["tracer"].option, tests["meter"].option, otlpx.New(), withService(nil))
		call(t, srv.Conn)
	})
	t.Run("options", func(t *testing.T) {
		srv, err := grpcx.New(grpcx.WithInsecure(), otlpx.New(nil, otlpx.WithMetricReader(nil)))
		assert.NoError(t, err)
		assert.ErrorContains(t, srv.Serve(t.Context(), bufconn.Listen(1)), "an option is nil", "WithMetricReader: the reader is nil")
	})
}

// The reader of another exporter reads the same provider, with or without OTLP.
func TestMetricReader(t *testing.T) {
	for _, exporter := range []string{"otlp", "none"} {
		t.Run(exporter, func(t *testing.T) {
			c := &collector{}
			addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
			exportTo(t, "grpc", "http://"+addr)
			t.Setenv("OTEL_METRICS_EXPORTER", exporter)
			read := books{sdkmetric.NewManualReader()}
			srv := grpcxtest.New(t, otlpx.New(otlpx.WithMetricReader(read)), withService(nil))
			call(t, srv.Conn)
			assert.True(t, read.value(t, "go.goroutine.count") > 0)
			assert.NoError(t, srv.Stop())
			assert.Equal(t, c.metrics != nil, exporter == "otlp")
		})
	}
}

// The caller's trace goes on, in the format that the variable names.
func TestPropagators(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	t.Setenv("OTEL_PROPAGATORS", "b3, baggage")
	srv := grpcxtest.New(t, otlpx.New(), withService(nil))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")
	_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(ctx, &testgrpc.Empty{})
	assert.NoError(t, err)
	assert.NoError(t, srv.Stop())
	assert.Equal(t, id(spanOf(t, c, method).GetTraceId()), "80f198ee56343ba864fe8b2a57d3eff7")
}

// The text by which a partial success is known is the exporters'.
func TestPartialSuccess(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{does: rejectsOne}
			addr, _ := c.listen(t, protocol, nil, "127.0.0.1:0")
			exportTo(t, protocol, "http://"+addr)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "20")
			t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
			var out logBuffer
			read := books{sdkmetric.NewManualReader()}
			srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithMetricReader(read)), withService(nil))
			for range 10 {
				call(t, srv.Conn)
			}
			for _, signal := range []string{"traces", "metrics", "logs"} {
				items := func(outcome string) int64 { return read.value(t, "grpcx.otlp.items", signal, outcome) }
				waitFor(t, signal, func() bool {
					if items("failed") >= 1 && (items("exported") >= 1 || signal == "logs") {
						return len(out.lines("otlpx: export failing", "signal="+signal, "too old")) == 1
					}
					call(t, srv.Conn) // so that a batch has more than one span
					return false
				})
			}
			assert.NoError(t, srv.Stop())
		})
	}
}

// Two servers of one program that share a Handler each export; the lines go to
// the one that began last.
func TestTwoServers(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	var out logBuffer
	logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(&out, nil)))
	first := grpcxtest.New(t, grpcx.WithLogger(logger), otlpx.New(), withService(nil))
	second := grpcxtest.New(t, grpcx.WithLogger(logger), otlpx.New(), withService(nil))
	logger.Info("both")
	assert.NoError(t, second.Stop())
	logger.Info("one")
	assert.NoError(t, first.Stop())
	logger.Info("none")
	assert.Equal(t, []int{len(logsOf(c, "both")), len(logsOf(c, "one")), len(logsOf(c, "none"))}, []int{1, 1, 0})
}

// A collector that is killed under load, on real sockets, and comes back at the
// same address.
func TestKilledUnderLoad(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			addr, kill := c.listen(t, protocol, nil, "127.0.0.1:0")
			exportTo(t, protocol, "http://"+addr)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "10")
			t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")
			var out logBuffer
			srv := grpcxtest.NewMTLS(t, out.option(), otlpx.New(), withService(nil))
			loop := func(until func() bool) {
				waitFor(t, "the collector", func() bool {
					for range 20 {
						call(t, srv.Conn)
					}
					return until()
				})
			}
			arrived := func(c *collector) func() bool {
				return func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.spans) > 0 }
			}
			loop(arrived(c))
			kill()
			loop(func() bool { return len(out.lines("otlpx: export failing", "signal=traces")) > 0 })
			again := &collector{}
			lis, err := net.Listen("tcp", addr)
			assert.NoError(t, err)
			again.serve(t, protocol, nil, lis)
			loop(arrived(again))
			waitFor(t, "recovery", func() bool { return len(out.lines("otlpx: export recovered", "signal=traces")) > 0 })
			assert.Equal(t, len(out.lines("otlpx: export failing", "signal=traces")), 1)
			assert.NoError(t, srv.Stop())
			assert.True(t, !strings.Contains(strings.Join(out.lines("otlpx:"), ""), "level=ERROR"))
		})
	}
}
