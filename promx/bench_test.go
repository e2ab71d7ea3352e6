package promx_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/promx"
)

var silent = grpcx.WithLogger(slog.New(slog.DiscardHandler))

// everyCode answers with each status code in turn.
func everyCode() func(context.Context) error {
	var n atomic.Uint32
	return func(context.Context) error { return status.Error(codes.Code(n.Add(1)%17), "") }
}

// BenchmarkScrape is the time of a whole request, over loopback, of a page with
// the series of one method in every status code.
func BenchmarkScrape(b *testing.B) {
	for name, opts := range map[string][]promx.Option{"buckets": nil, "native": {promx.WithNativeHistograms()}} {
		for format, accept := range map[string]string{"text": openMetrics, "protobuf": protobuf} {
			b.Run(name+"/"+format, func(b *testing.B) {
				srv := grpcxtest.New(b, silent, withAdmin(), promx.New(opts...), serving(everyCode()))
				call(b, srv.Conn, 17)
				url := "http://" + srv.AdminAddr().String() + "/metrics"
				size := 0
				b.ReportAllocs()
				for b.Loop() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
					assert.NoError(b, err)
					req.Header.Set("Accept", accept)
					resp, err := client.Do(req)
					assert.NoError(b, err)
					n, err := io.Copy(io.Discard, resp.Body)
					assert.NoError(b, err)
					_ = resp.Body.Close()
					size = int(n)
				}
				b.ReportMetric(float64(size), "B/page")
			})
		}
	}
}

// BenchmarkCall is what recording adds to a call.
func BenchmarkCall(b *testing.B) {
	for _, use := range []struct {
		name string
		opt  grpcx.Option
	}{
		{"nothing", grpcx.Options()},
		{"buckets", promx.New()},
		{"native", promx.New(promx.WithNativeHistograms())},
	} {
		b.Run(use.name, func(b *testing.B) {
			srv := grpcxtest.New(b, silent, withAdmin(), use.opt, serving(nil))
			c := testgrpc.NewTestServiceClient(srv.Conn)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.EmptyCall(b.Context(), new(testgrpc.Empty)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
