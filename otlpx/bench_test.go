package otlpx_test

import (
	"context"
	"log/slog"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/otlpx"
)

// BenchmarkCall is one call over memory, without telemetry and with all of it
// exported to a collector on loopback that decodes what it gets.
func BenchmarkCall(b *testing.B) {
	logger := grpcx.WithLogger(slog.New(slog.DiscardHandler))
	run := func(exporting bool) func(*testing.B) {
		return func(b *testing.B) {
			read, opts := books{sdkmetric.NewManualReader()}, []grpcx.Option{logger, withService(nil)}
			if exporting {
				opts = append(opts, otlpx.New(otlpx.WithMetricReader(read)))
			}
			srv := grpcxtest.New(b, opts...)
			client := testgrpc.NewTestServiceClient(srv.Conn)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.EmptyCall(context.Background(), &testgrpc.Empty{}); err != nil {
					b.Fatal(err)
				}
			}
			if exporting {
				b.ReportMetric(float64(read.value(b, "grpcx.otlp.items", "traces", "dropped"))/float64(b.N), "dropped/op")
			}
		}
	}
	b.Run("none", run(false))
	for _, protocol := range protocols {
		c := &collector{forgets: true}
		addr, _ := c.listen(b, protocol, nil, "127.0.0.1:0")
		exportTo(b, protocol, "http://"+addr)
		b.Run(protocol, run(true))
		b.Run(protocol+" 1%", func(b *testing.B) {
			b.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
			b.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.01")
			run(true)(b)
		})
	}
}
