package otlpx_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	otlplogs "go.opentelemetry.io/proto/otlp/logs/v1"
	otlptrace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

var errRefused = errors.New("connection refused")

type service struct {
	testgrpc.UnimplementedTestServiceServer
	unary func(context.Context) error
}

func (s *service) EmptyCall(ctx context.Context, _ *testgrpc.Empty) (*testgrpc.Empty, error) {
	if s.unary != nil {
		return &testgrpc.Empty{}, s.unary(ctx)
	}
	return &testgrpc.Empty{}, nil
}

const method = "grpc.testing.TestService/EmptyCall"

func withService(unary func(context.Context) error) grpcx.Option {
	return grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, &service{unary: unary}) })
}

func call(t testing.TB, conn grpc.ClientConnInterface) {
	t.Helper()
	_, err := testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), &testgrpc.Empty{})
	assert.NoError(t, err)
}

// clearEnv takes away what the machine says to exporters.
func clearEnv(t testing.TB) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
}

// exportTo sets the variables for a collector at addr.
func exportTo(t testing.TB, protocol, url string) {
	clearEnv(t)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) option() grpcx.Option {
	return grpcx.WithLogger(slog.New(slog.NewTextHandler(b, nil)))
}

// lines returns the lines that contain all of the parts.
func (b *logBuffer) lines(parts ...string) (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.buf.String()) {
		ok := true
		for _, part := range parts {
			ok = ok && strings.Contains(line, part)
		}
		if ok {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

func spanOf(t testing.TB, c *collector, name string) *otlptrace.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name {
			return s
		}
	}
	t.Fatalf("no span %s among %d", name, len(c.spans))
	return nil
}

func logsOf(c *collector, message string) (found []*otlplogs.LogRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.logs {
		if r.GetBody().GetStringValue() == message {
			found = append(found, r)
		}
	}
	return found
}

func id(b []byte) string { return hex.EncodeToString(b) }
