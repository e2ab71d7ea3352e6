package promx_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runShort())
	}
	leak.Main(m, client.CloseIdleConnections)
}

// client is not the default one, whose connections others might use.
var client = &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}

// service answers, or does what it is told.
type service struct {
	testgrpc.UnimplementedTestServiceServer

	unary func(context.Context) error
}

func (s service) UnaryCall(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	if s.unary != nil {
		if err := s.unary(ctx); err != nil {
			return nil, err
		}
	}
	return new(testgrpc.SimpleResponse), nil
}

func (service) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	return new(testgrpc.Empty), nil
}

func serving(unary func(context.Context) error) grpcx.Option {
	return grpcxtest.Services(func(r grpc.ServiceRegistrar) {
		testgrpc.RegisterTestServiceServer(r, service{unary: unary})
	})
}

func withAdmin() grpcx.Option { return grpcx.WithAdminAddr("127.0.0.1:0") }

// call makes n calls of UnaryCall.
func call(t testing.TB, conn grpc.ClientConnInterface, n int) {
	t.Helper()
	for range n {
		_, _ = testgrpc.NewTestServiceClient(conn).UnaryCall(t.Context(), new(testgrpc.SimpleRequest))
	}
}

const (
	plainText   = ""
	openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
	protobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,text/plain;q=0.5"
)

// scrape gets /metrics.
func scrape(t testing.TB, addr net.Addr, accept string) (code int, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr.String()+"/metrics", nil)
	assert.NoError(t, err)
	if accept != plainText {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	assert.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

// series are the lines of a page whose name begins with the prefix.
func series(body, prefix string) []string {
	var lines []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}
