package parity_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
)

// panicking panics in one method and answers the other.
type panicking struct {
	testgrpc.UnimplementedTestServiceServer
}

func (panicking) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	return new(testgrpc.Empty), nil
}

func (panicking) UnaryCall(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	panic("of the test")
}

// points are the values of a metric by the value of one attribute.
func points(t *testing.T, m metricdata.Metrics, key string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	add := func(attrs string, value float64) { found[attrs] += value }
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			v, _ := p.Attributes.Value(attribute.Key(key))
			add(v.AsString(), float64(p.Value))
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			v, _ := p.Attributes.Value(attribute.Key(key))
			add(v.AsString(), p.Value)
		}
	case metricdata.Histogram[int64]:
		for _, p := range data.DataPoints {
			v, _ := p.Attributes.Value(attribute.Key(key))
			add(v.AsString(), float64(p.Count))
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			v, _ := p.Attributes.Value(attribute.Key(key))
			add(v.AsString(), float64(p.Count))
		}
	default:
		t.Errorf("%s is a %T", m.Name, data)
	}
	return found
}

// collect returns the metrics of the server by name.
func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "github.com/grpcx-go/sdk/grpcx" {
			t.Errorf("scope %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// TestServerMetrics reads every instrument of the server itself, beside those of
// calls.
func TestServerMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	srv := grpcxtest.NewMTLS(t,
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, panicking{}) }),
		grpcx.WithMeterProvider(provider))
	client := testgrpc.NewTestServiceClient(srv.Conn)
	if _, err := client.EmptyCall(t.Context(), new(testgrpc.Empty)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UnaryCall(t.Context(), new(testgrpc.SimpleRequest)); err == nil {
		t.Fatal("a panic was answered")
	}

	got := collect(t, reader)
	const method = "grpc.testing.TestService/UnaryCall"
	tests := []struct {
		name, unit, key string
		want            map[string]float64 // nil: any positive value
	}{
		{"grpcx.calls.active", "{call}", "", map[string]float64{"": 0}},
		{"grpcx.connections.open", "{connection}", "", map[string]float64{"": 1}},
		{"grpcx.connections", "{connection}", "grpcx.outcome", map[string]float64{"accepted": 1, "refused": 0}},
		{"grpcx.drain.phase", "1", "", map[string]float64{"": 1}},
		{"grpcx.drain.abandoned", "{call}", "rpc.method", map[string]float64{method: 0}},
		{"grpcx.health.ready", "1", "", map[string]float64{"": 1}},
		{"grpcx.health.check.passing", "1", "grpcx.check", map[string]float64{"tls-certificate": 1}},
		{"grpcx.panics", "{panic}", "rpc.method", map[string]float64{method: 1, "grpc.testing.TestService/EmptyCall": 0}},
		{"grpcx.tls.handshakes", "{handshake}", "grpcx.outcome", map[string]float64{"ok": 1, "resumed": 0}},
		{"grpcx.tls.handshake.duration", "s", "grpcx.outcome", map[string]float64{"ok": 1}},
		{"grpcx.tls.certificate.not_after", "s", "", nil},
		{"grpcx.tls.generation", "{generation}", "", map[string]float64{"": 1}},
		{"grpcx.runtime.gomaxprocs", "{thread}", "", nil},
		{"grpcx.runtime.gogc", "%", "grpcx.source", nil},
	}
	for _, tt := range tests {
		m, ok := got[tt.name]
		if !ok {
			t.Errorf("%s is not recorded", tt.name)
			continue
		}
		if m.Unit != tt.unit || m.Description == "" {
			t.Errorf("%s: unit %q, description %q", tt.name, m.Unit, m.Description)
		}
		values := points(t, m, tt.key)
		if tt.want == nil {
			for _, v := range values {
				if v <= 0 {
					t.Errorf("%s: %v", tt.name, values)
				}
			}
			continue
		}
		for key, want := range tt.want {
			if v, ok := values[key]; !ok || v != want {
				t.Errorf("%s: %v, want %v", tt.name, values, tt.want)
			}
		}
	}

	// After the end the callback is gone, and what it read with it.
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-srv.Done()
	after := collect(t, reader)
	for _, name := range []string{"grpcx.connections.open", "grpcx.drain.phase"} {
		if m, ok := after[name]; ok && len(points(t, m, "")) > 0 {
			t.Errorf("%s is still read", name)
		}
	}
}

// TestAllocations is the price of recording in allocations, for one call with a
// deadline, above a server that records nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	measure := func(opts ...grpcx.Option) float64 {
		srv := grpcxtest.New(t, append(opts,
			grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, panicking{}) }))...)
		client := testgrpc.NewTestServiceClient(srv.Conn)
		var runs []float64
		for range 5 {
			runs = append(runs, testing.AllocsPerRun(200, func() {
				if _, err := client.EmptyCall(context.Background(), new(testgrpc.Empty)); err != nil {
					t.Error(err)
				}
			}))
		}
		return slices.Min(runs)
	}
	nothing := measure()
	metrics := measure(grpcx.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	t.Logf("nothing %v, metrics %v", nothing, metrics)
	if metrics > nothing {
		t.Errorf("metrics cost %v allocations per call, want none", metrics-nothing)
	}
	unsampled := measure(grpcx.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))), grpcx.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	t.Logf("metrics and unsampled spans %v", unsampled)
	if unsampled > nothing+4 {
		t.Errorf("metrics and unsampled spans cost %v allocations per call, want at most 4", unsampled-nothing)
	}
}

// TestMessageMetrics counts and measures the messages of unary and streaming calls,
// when asked to.
func TestMessageMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	srv := grpcxtest.New(t,
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, chatty{}) }),
		grpcx.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}))
	client := testgrpc.NewTestServiceClient(srv.Conn)
	payload := &testgrpc.Payload{Body: make([]byte, 1000)}
	if _, err := client.UnaryCall(t.Context(), &testgrpc.SimpleRequest{Payload: payload}); err != nil {
		t.Fatal(err)
	}
	stream, err := client.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Fatal(err)
	}
	got := collect(t, reader)
	for _, name := range []string{"grpcx.messages", "grpcx.message.size"} {
		if v := points(t, got[name], "grpcx.direction"); v["received"] != 4 || v["sent"] != 3 {
			t.Errorf("%s: %v, want 4 received and 3 sent", name, v)
		}
	}
	for _, p := range got["grpcx.message.size"].Data.(metricdata.Histogram[int64]).DataPoints {
		direction, _ := p.Attributes.Value("grpcx.direction")
		if direction.AsString() == "received" && p.Sum < int64(1000*p.Count) {
			t.Errorf("%d bytes in %d messages", p.Sum, p.Count)
		}
	}
}

// chatty answers a stream with two messages.
type chatty struct {
	testgrpc.UnimplementedTestServiceServer
}

func (chatty) UnaryCall(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return new(testgrpc.SimpleResponse), nil
}

func (chatty) FullDuplexCall(s testgrpc.TestService_FullDuplexCallServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			break
		}
	}
	for range 2 {
		if err := s.Send(new(testgrpc.StreamingOutputCallResponse)); err != nil {
			return err
		}
	}
	return nil
}
