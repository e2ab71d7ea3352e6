package otlpx_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/otlpx"
)

var protocols = []string{"grpc", "http/protobuf"}

// All three signals of one call arrive, and the line has the identifiers of the
// span.
func TestSignals(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			addr, _ := c.listen(t, protocol, nil, "127.0.0.1:0")
			exportTo(t, protocol, "http://"+addr)
			t.Setenv("OTEL_SERVICE_NAME", "greeter")
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "tenant=blue%20team")
			t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "")
			var out logBuffer
			srv := grpcxtest.New(t, out.option(), otlpx.New(), withService(func(context.Context) error {
				return status.Error(codes.Internal, "broken")
			}))
			_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(t.Context(), &testgrpc.Empty{})
			assert.Equal(t, status.Code(err), codes.Internal)
			assert.NoError(t, srv.Stop())

			span := spanOf(t, c, method)
			attrs := attributes(span.GetAttributes())
			assert.Equal(t, attrs["rpc.system.name"], "grpc")
			assert.Equal(t, attrs["rpc.response.status_code"], "INTERNAL")

			lines := logsOf(c, "grpcx: call")
			assert.Equal(t, len(lines), 1)
			assert.Equal(t, id(lines[0].GetTraceId()), id(span.GetTraceId()))
			assert.Equal(t, id(lines[0].GetSpanId()), id(span.GetSpanId()))
			fields := attributes(lines[0].GetAttributes())
			assert.Equal(t, fields["rpc.method"], method)
			assert.Equal(t, fields["trace_id"], "") // it has a field of its own
			assert.Equal(t, len(logsOf(c, "grpcx: serving")), 1)
			assert.Equal(t, len(out.lines("grpcx: call", "trace_id="+id(span.GetTraceId()), "span_id="+id(span.GetSpanId()))), 1)

			for name, scope := range map[string]string{
				"rpc.server.call.duration": "github.com/grpcx-go/sdk/grpcx",
				"grpcx.drain.phase":        "github.com/grpcx-go/sdk/grpcx",
				"grpcx.otlp.items":         "github.com/grpcx-go/sdk/otlpx",
				"go.goroutine.count":       "go.opentelemetry.io/contrib/instrumentation/runtime",
				"go.schedule.duration":     "go.opentelemetry.io/contrib/instrumentation/runtime",
			} {
				assert.Equal(t, c.scopes[name], scope, name)
			}
			assert.Equal(t, c.about["service.name"], "greeter")
			assert.Equal(t, c.about["telemetry.sdk.language"], "go")
			assert.True(t, c.about["service.instance.id"] != "" && c.about["host.arch"] != "" && c.about["process.pid"] != "")
			assert.Equal(t, c.headers["tenant"], "blue team")
		})
	}
}

// The files of the variables secure the connection, and may rotate.
func TestTLS(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			dir := t.TempDir()
			ca := certtest.NewCA(t, "collectors")
			leaf := ca.Issue(t, certtest.Server)
			cert, key := ca.Issue(t, certtest.Client).Write(t, dir, "client")
			c := &collector{}
			addr, stop := c.listen(t, protocol, &tls.Config{
				Certificates: []tls.Certificate{leaf.TLS()}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
				NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS13,
			}, "127.0.0.1:0")
			exportTo(t, protocol, "https://"+addr)
			t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.Write(t, dir, "ca"))
			t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", cert)
			t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", key)
			t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true") // https wins
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "20")
			var out logBuffer
			srv := grpcxtest.New(t, out.option(), otlpx.New(), withService(nil))
			call(t, srv.Conn)
			waitFor(t, "the span", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.spans) == 1 })
			stop()

			// Another CA signs both sides from now on.
			next := certtest.NewCA(t, "next")
			next.Write(t, dir, "ca")
			next.Issue(t, certtest.Client).Write(t, dir, "client")
			leaf = next.Issue(t, certtest.Server)
			after := &collector{}
			after.listen(t, protocol, &tls.Config{
				Certificates: []tls.Certificate{leaf.TLS()}, ClientCAs: next.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
				NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS13,
			}, addr)
			waitFor(t, "a span by the new files", func() bool {
				call(t, srv.Conn)
				after.mu.Lock()
				defer after.mu.Unlock()
				return len(after.spans) > 0
			})
			assert.NoError(t, srv.Stop())
		})
	}
}

// A collector whose certificate is of another CA gets nothing.
func TestTLSUntrusted(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			ca, other := certtest.NewCA(t, "collectors"), certtest.NewCA(t, "others")
			leaf := other.Issue(t, certtest.Server)
			c := &collector{}
			addr, _ := c.listen(t, protocol, &tls.Config{Certificates: []tls.Certificate{leaf.TLS()}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13}, "127.0.0.1:0")
			exportTo(t, protocol, "https://"+addr)
			t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.Write(t, t.TempDir(), "ca"))
			t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "500")
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "20")
			t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
			var out logBuffer
			srv := grpcxtest.New(t, out.option(), otlpx.New(), withService(nil))
			call(t, srv.Conn)
			for _, signal := range []string{"traces", "metrics", "logs"} {
				waitFor(t, signal, func() bool {
					return len(out.lines("otlpx: export failing", "signal="+signal, "unknown authority")) == 1
				})
			}
			assert.NoError(t, srv.Stop())
			assert.Equal(t, c.batches, 0)
		})
	}
}

// The program's own lines are exported when its logger has a Handler, those of
// loggers made before too.
func TestOwnLines(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	var out logBuffer
	logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(&out, nil)))
	early := logger.With("module", "billing").WithGroup("order")
	early.Info("too early")
	srv := grpcxtest.New(t, grpcx.WithLogger(logger), otlpx.New(), withService(func(ctx context.Context) error {
		early.InfoContext(ctx, "booked", "id", 7)
		early.DebugContext(ctx, "not wanted")
		return nil
	}))
	call(t, srv.Conn)
	assert.NoError(t, srv.Stop())
	early.Info("too late")

	span := spanOf(t, c, method)
	lines := logsOf(c, "booked")
	assert.Equal(t, len(lines), 1)
	assert.Equal(t, id(lines[0].GetTraceId()), id(span.GetTraceId()))
	assert.Equal(t, attributes(lines[0].GetAttributes()), map[string]string{"module": "billing", "order": "{id=7}"})
	assert.Equal(t, len(out.lines("booked", "trace_id="+id(span.GetTraceId()), "module=billing", "order.id=7")), 1)
	assert.Equal(t, len(logsOf(c, "too early"))+len(logsOf(c, "too late"))+len(logsOf(c, "not wanted")), 0)
	assert.Equal(t, len(out.lines("too "))+len(out.lines("grpcx: stopped")), 3)
	assert.Equal(t, len(logsOf(c, "grpcx: serving")), 1) // not twice
}

// Text that is not UTF-8 takes nothing else with it.
func TestNotUTF8(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			addr, _ := c.listen(t, protocol, nil, "127.0.0.1:0")
			exportTo(t, protocol, "http://"+addr)
			var out logBuffer
			bad := "a\xffb"
			logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(&out, nil)))
			srv := grpcxtest.New(t, grpcx.WithLogger(logger), otlpx.New(otlpx.WithGlobal()), withService(func(ctx context.Context) error {
				counter, err := otel.Meter("own").Int64Counter("own.calls")
				assert.NoError(t, err)
				counter.Add(ctx, 1, metric.WithAttributes(attribute.String("text", bad)))
				histogram, err := otel.Meter("own").Float64Histogram("own.size")
				assert.NoError(t, err)
				histogram.Record(ctx, 1, metric.WithAttributes(attribute.String(bad, "x")))
				span := trace.SpanFromContext(ctx)
				span.SetAttributes(attribute.String("text", bad), attribute.StringSlice("list", []string{"x", bad}))
				span.AddEvent(bad, trace.WithAttributes(attribute.String(bad, "v")))
				span.AddLink(trace.Link{SpanContext: span.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("l", bad)}})
				_, child := span.TracerProvider().Tracer("own").Start(ctx, bad)
				child.RecordError(errors.New(bad))
				child.End()
				logger.InfoContext(ctx, "line "+bad, "text", bad, slog.Group("g", "in", bad))
				return nil
			}))
			call(t, srv.Conn)
			assert.NoError(t, srv.Stop())
			attrs := attributes(spanOf(t, c, method).GetAttributes())
			assert.Equal(t, attrs["text"], "a\uFFFDb")
			spanOf(t, c, "a\uFFFDb")
			lines := logsOf(c, "line a\uFFFDb")
			assert.Equal(t, len(lines), 1)
			assert.Equal(t, attributes(lines[0].GetAttributes()), map[string]string{"text": "a\uFFFDb", "g": "{in=a\uFFFDb}"})
			assert.Equal(t, attributes(c.metrics["own.calls"].GetSum().GetDataPoints()[0].GetAttributes()), map[string]string{"text": "a\uFFFDb"})
			assert.Equal(t, attributes(c.metrics["own.size"].GetHistogram().GetDataPoints()[0].GetAttributes()), map[string]string{"a\uFFFDb": "x"})
			assert.Equal(t, len(out.lines("otlpx:")), 0)
		})
	}
}

// Texts are bounded, in whole characters, unless a variable says otherwise.
func TestLongText(t *testing.T) {
	long := strings.Repeat("é", 20<<10)
	for _, limit := range []string{"", "30000"} {
		t.Run(limit, func(t *testing.T) {
			c := &collector{}
			addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
			exportTo(t, "grpc", "http://"+addr)
			t.Setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit)
			var out logBuffer
			logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(&out, nil)))
			srv := grpcxtest.New(t, grpcx.WithLogger(logger), otlpx.New(), withService(func(ctx context.Context) error {
				trace.SpanFromContext(ctx).SetAttributes(attribute.String("text", long))
				logger.Info("x" + long)
				return errors.New(long)
			}))
			_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(t.Context(), &testgrpc.Empty{})
			assert.True(t, err != nil)
			assert.NoError(t, srv.Stop())
			assert.Equal(t, len(logsOf(c, "x"+long[:16<<10-2])), 1) // whole characters
			span := attributes(spanOf(t, c, method).GetAttributes())["text"]
			line := attributes(logsOf(c, "grpcx: call")[0].GetAttributes())["error"]
			if limit == "" {
				assert.Equal(t, []int{utf8.RuneCountInString(span), utf8.RuneCountInString(line)}, []int{16 << 10, 16 << 10})
			} else {
				assert.Equal(t, []int{len(span), len(line)}, []int{40 << 10, 40 << 10})
			}
		})
	}
}

// A collector that lives on keeps no connection of a server that has stopped.
func TestNothingLeft(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			addr, _ := c.listen(t, protocol, nil, "127.0.0.1:0")
			exportTo(t, protocol, "http://"+addr)
			srv := grpcxtest.New(t, otlpx.New(), withService(nil))
			call(t, srv.Conn)
			assert.NoError(t, srv.Stop())
			assert.True(t, c.batches > 0)
			waitFor(t, "the end of the connections", func() bool {
				stacks := make([]byte, 1<<20)
				text := string(stacks[:runtime.Stack(stacks, true)])
				return !strings.Contains(text, "net/http.(*persistConn)") && !strings.Contains(text, "go.opentelemetry.io/otel")
			})
		})
	}
}

func TestDisabled(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	var out logBuffer
	read := books{sdkmetric.NewManualReader()}
	srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithMetricReader(read)), withService(nil))
	call(t, srv.Conn)
	assert.True(t, !srv.Settings().Tracing && !srv.Settings().Metrics)
	assert.Equal(t, read.value(t, "go.goroutine.count"), 0) // and no error
	assert.NoError(t, srv.Stop())
	assert.Equal(t, c.batches, 0)
}

// Variables that cannot be used make Serve fail, with all that is wrong.
func TestServeFails(t *testing.T) {
	clearEnv(t)
	missing := filepath.Join(t.TempDir(), "ca.crt")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", missing)
	t.Setenv("OTEL_LOGS_EXPORTER", "console")
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), otlpx.New())
	assert.NoError(t, err)
	err = srv.Serve(t.Context())
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "OTEL_EXPORTER_OTLP_CERTIFICATE", missing, "OTEL_LOGS_EXPORTER", `"console" is not supported; use one of otlp, none`)
	var variable *otlpx.EnvError
	assert.True(t, errors.As(err, &variable))
}
