//go:build unix

package otlp_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/otlpx"
)

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) with(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		ok := true
		for _, part := range parts {
			ok = ok && strings.Contains(line, part)
		}
		if ok {
			n++
		}
	}
	return n
}

// The Collector is stopped, goes on, and is killed, under load: no call fails,
// the log says each once, and the drain keeps its budget.
func TestKilled(t *testing.T) {
	heavy(t)
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector(t, false)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.url(protocol))
			t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "500")
			t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "300")
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
			var out lines
			srv := grpcxtest.NewMTLS(t, otlpx.New(), grpcx.WithLogger(slog.New(slog.NewTextHandler(&out, nil))),
				grpcxtest.Services(func(r grpc.ServiceRegistrar) {
					testgrpc.RegisterTestServiceServer(r, service{log: slog.New(slog.DiscardHandler)})
				}))
			var calls, failed atomic.Int64
			stop := make(chan struct{})
			var load sync.WaitGroup
			for range 4 {
				load.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						calls.Add(1)
						if _, err := testgrpc.NewTestServiceClient(srv.Conn).UnaryCall(context.Background(), request("")); err != nil {
							failed.Add(1)
						}
					}
				})
			}
			failing := func() int { return out.with("otlpx: export failing", "signal=traces") }
			recovered := func() int { return out.with("otlpx: export recovered", "signal=traces") }
			waitFor(t, "spans", func() bool { return len(c.read(t).spans) > 0 })
			c.signal(t, syscall.SIGSTOP)
			waitFor(t, "the failure", func() bool { return failing() == 1 })
			c.signal(t, syscall.SIGCONT)
			waitFor(t, "the recovery", func() bool { return recovered() == 1 })
			c.kill()
			waitFor(t, "the second failure", func() bool { return failing() == 2 })
			c.start(t)
			waitFor(t, "the second recovery", func() bool { return recovered() == 2 })
			c.signal(t, syscall.SIGSTOP)
			waitFor(t, "the third failure", func() bool { return failing() == 3 })
			close(stop)
			load.Wait()
			begin := time.Now()
			assert.NoError(t, srv.Stop())
			assert.True(t, time.Since(begin) < 2*time.Second, "a drain of "+time.Since(begin).String())
			t.Logf("%d calls, %d failed; drain %v; queue full said %d times", calls.Load(), failed.Load(), time.Since(begin),
				out.with("otlpx: queue full", "signal=traces"))
			assert.Equal(t, failed.Load(), 0)
			assert.Equal(t, failing(), 3)
		})
	}
}
