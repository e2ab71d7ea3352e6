package conformance_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// woven is a server with every default on, and what it recorded.
type woven struct {
	*grpcxtest.Server
	addr   string
	certs  *devcert.Authority
	spans  *tracetest.SpanRecorder
	reader *metric.ManualReader
}

// newWoven serves the interop services on loopback with mutual TLS, all calls
// traced, measured and logged.
func newWoven(t *testing.T, opts ...grpcx.Option) *woven {
	t.Helper()
	w := &woven{certs: newCerts(t), spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(w.spans))
	meter := metric.NewMeterProvider(metric.WithReader(w.reader))
	t.Cleanup(func() {
		_ = tracer.Shutdown(context.Background())
		_ = meter.Shutdown(context.Background())
	})
	lis := listen(t)
	w.addr = lis.Addr().String()
	base := []grpcx.Option{
		grpcx.WithTLS(w.certs.ServerSource()),
		grpcx.WithListener(lis),
		grpcx.WithTracerProvider(tracer),
		grpcx.WithMeterProvider(meter),
		grpcx.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		grpcx.WithMethods(selector.MatchFunc(everyMethod), grpcx.Policy{Log: grpcx.LogAll}),
		grpcx.WithLogger(slog.New(slog.NewJSONHandler(io.Discard, nil))), //nolint:sloglint // the lines are to be made
		grpcx.WithServerOptions(orca.CallMetricsServerOption(nil)),
		grpcxtest.Services(registerInterop),
	}
	w.Server = grpcxtest.New(t, append(base, opts...)...)
	return w
}

func everyMethod(context.Context, interceptors.CallMeta) bool { return true }

// newBare serves the same services on a grpc-go server, and returns its address.
func newBare(t *testing.T, opts ...grpc.ServerOption) string {
	t.Helper()
	lis := listen(t)
	srv := grpc.NewServer(append(opts, orca.CallMetricsServerOption(nil))...)
	registerInterop(srv)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(lis)
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	return lis.Addr().String()
}

func registerInterop(s grpc.ServiceRegistrar) {
	recorder := orca.NewServerMetricsRecorder()
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: recorder}))
	registerLoadReports(s, recorder)
}

func newCerts(t *testing.T) *devcert.Authority {
	t.Helper()
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	return certs
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	return lis
}

// dial connects with the client certificate of certs, and with the load
// balancing policy that the ORCA cases of the interop client need.
func dial(t *testing.T, addr string, certs *devcert.Authority) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}`))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// measured returns how many calls rpc.server.call.duration counts.
func (w *woven) measured(t *testing.T) (calls uint64) {
	t.Helper()
	var rm metricdata.ResourceMetrics
	assert.NoError(t, w.reader.Collect(context.Background(), &rm))
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "rpc.server.call.duration" {
				for _, point := range h.DataPoints {
					calls += point.Count
				}
			}
		}
	}
	return calls
}
