package otlpx_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/otlpx"
)

// books are the instruments of the exporters, as a reader beside them sees them.
type books struct{ *sdkmetric.ManualReader }

func (b books) value(t testing.TB, name string, attrs ...string) (sum int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	assert.NoError(t, b.Collect(context.Background(), &all))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			var points []metricdata.DataPoint[int64]
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				points = data.DataPoints
			case metricdata.Gauge[int64]:
				points = data.DataPoints
			}
			for _, p := range points {
				match := true
				for _, want := range attrs {
					match = match && hasValue(p, want)
				}
				if match {
					sum += p.Value
				}
			}
		}
	}
	return sum
}

func hasValue(p metricdata.DataPoint[int64], want string) bool {
	for iter := p.Attributes.Iter(); iter.Next(); {
		if iter.Attribute().Value.AsString() == want {
			return true
		}
	}
	return false
}

const (
	queueSize    = 100 // in tests that say so
	queueDefault = 2048
)

var all = selector.MatchFunc(func(context.Context, interceptors.CallMeta) bool { return true })

// However the collector is dead, calls are answered at once, the queues stay
// bounded, every item is accounted for, and the log says it once; when it is
// back, the log says so once and telemetry arrives.
func TestDeadCollector(t *testing.T) {
	ways := map[string]struct {
		die, rise func(*collector, *memory, *bufconn.Listener)
	}{
		"refused": {
			func(_ *collector, m *memory, _ *bufconn.Listener) { m.lis = nil },
			func(_ *collector, m *memory, lis *bufconn.Listener) { m.lis = lis },
		},
		"refusing": {
			func(c *collector, _ *memory, _ *bufconn.Listener) { c.does = refuses },
			func(c *collector, _ *memory, _ *bufconn.Listener) { c.does = takes },
		},
		"hanging": {
			func(c *collector, _ *memory, _ *bufconn.Listener) { c.does = hangs },
			func(c *collector, _ *memory, _ *bufconn.Listener) { c.does = takes },
		},
		"black hole": {
			func(_ *collector, m *memory, _ *bufconn.Listener) { m.hole = true },
			func(_ *collector, m *memory, _ *bufconn.Listener) { m.hole = false },
		},
	}
	for _, protocol := range protocols {
		for name, way := range ways {
			t.Run(protocol+" "+name, func(t *testing.T) {
				exportTo(t, protocol, "http://127.0.0.1:4317")
				t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", strconv.Itoa(queueSize))
				t.Setenv("OTEL_BLRP_MAX_QUEUE_SIZE", strconv.Itoa(queueSize))
				synctest.Test(t, func(t *testing.T) {
					c, lis := &collector{}, bufconn.Listen(1<<20)
					m := &memory{lis: lis}
					t.Cleanup(m.close)
					stop := c.serve(t, protocol, nil, lis)
					defer stop()
					way.die(c, m, lis)
					var out logBuffer
					read := books{sdkmetric.NewManualReader()}
					srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithDialer(m.dial), otlpx.WithMetricReader(read)),
						withService(nil), grpcx.WithMethods(all, grpcx.Policy{Log: grpcx.LogAll}))
					const calls = 300
					for i := range calls {
						begin := time.Now()
						call(t, srv.Conn)
						assert.Equal(t, time.Since(begin), 0)
						if i%10 == 9 {
							time.Sleep(time.Second)
							assert.True(t, read.value(t, "grpcx.otlp.queue", "traces") <= queueSize)
							assert.True(t, read.value(t, "grpcx.otlp.queue", "logs") <= queueSize)
						}
					}
					time.Sleep(time.Minute) // what waits fails
					synctest.Wait()
					items := func(outcome string) int64 { return read.value(t, "grpcx.otlp.items", "traces", outcome) }
					assert.Equal(t, items("exported"), 0)
					assert.Equal(t, items("failed")+items("dropped")+read.value(t, "grpcx.otlp.queue", "traces"), calls)
					for _, signal := range []string{"traces", "metrics", "logs"} {
						assert.Equal(t, len(out.lines("otlpx: export failing", "signal="+signal)), 1, signal)
						assert.Equal(t, read.value(t, "grpcx.otlp.failing", signal), 1, signal)
					}

					m.mu.Lock()
					c.mu.Lock()
					way.rise(c, m, lis)
					c.mu.Unlock()
					m.mu.Unlock()
					m.close()
					time.Sleep(5 * time.Minute)
					call(t, srv.Conn)
					time.Sleep(time.Minute)
					for _, signal := range []string{"traces", "metrics", "logs"} {
						assert.Equal(t, len(out.lines("otlpx: export failing", "signal="+signal)), 1, signal)
						assert.Equal(t, len(out.lines("otlpx: export recovered", "signal="+signal)), 1, signal)
						assert.Equal(t, read.value(t, "grpcx.otlp.failing", signal), 0, signal)
					}
					assert.Equal(t, len(out.lines("otlpx: export recovered", "signal=metrics", "failed=")), 1)
					assert.True(t, items("exported") > 0)
					lost := items("failed") + items("dropped")
					assert.NoError(t, srv.Stop())
					assert.Equal(t, lost+int64(len(c.spans)), calls+1)
					assert.Equal(t, len(out.lines("level=ERROR")), 0)
				})
			})
		}
	}
}

// A collector that takes its time loses the surplus, counted, and delays nobody.
func TestSlowCollector(t *testing.T) {
	exportTo(t, "grpc", "http://127.0.0.1:4317")
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
	synctest.Test(t, func(t *testing.T) {
		c, lis := &collector{slow: 5 * time.Second}, bufconn.Listen(1<<20)
		m := &memory{lis: lis}
		stop := c.serve(t, "grpc", nil, lis)
		defer stop()
		var out logBuffer
		read := books{sdkmetric.NewManualReader()}
		srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithDialer(m.dial), otlpx.WithMetricReader(read)), withService(nil))
		const calls = 1000
		for range calls {
			begin := time.Now()
			call(t, srv.Conn)
			assert.Equal(t, time.Since(begin), 0)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		assert.Equal(t, len(out.lines("otlpx: queue full, dropping", "signal=traces", "queue=100")), 1)
		assert.Equal(t, len(out.lines("otlpx: queue has room again", "signal=traces")), 1)
		assert.Equal(t, len(out.lines("otlpx: export failing")), 0)
		dropped := read.value(t, "grpcx.otlp.items", "traces", "dropped")
		assert.True(t, dropped > 800, "dropped")
		assert.Equal(t, read.value(t, "grpcx.otlp.items", "traces", "exported")+dropped, calls)
		c.mu.Lock()
		c.slow = 0
		c.mu.Unlock()
		assert.NoError(t, srv.Stop())
		assert.Equal(t, int64(len(c.spans))+dropped, calls)
	})
}

// The end of the drain waits for a collector for its share of the budget, and
// not a moment longer; that the collector took nothing is no error of the server.
func TestDrainBudget(t *testing.T) {
	for protocol, calls := range map[string]int{"grpc": queueDefault + 52, "http/protobuf": 600} {
		t.Run(protocol, func(t *testing.T) {
			exportTo(t, protocol, "http://127.0.0.1:4317")
			synctest.Test(t, func(t *testing.T) {
				c, lis := &collector{does: hangs}, bufconn.Listen(1<<20)
				m := &memory{lis: lis}
				stop := c.serve(t, protocol, nil, lis)
				defer stop()
				var out logBuffer
				srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithDialer(m.dial)), withService(nil),
					grpcx.WithDrain(grpcx.Drain{Stop: 5 * time.Second}))
				for range calls {
					call(t, srv.Conn)
				}
				full := len(out.lines("otlpx: queue full, dropping", "signal=traces", "queue="+strconv.Itoa(queueDefault)))
				assert.Equal(t, full == 1, calls > queueDefault)
				begin := time.Now()
				assert.NoError(t, srv.Stop())
				// A hook has half of Drain.Stop, and ends with nine tenths of that.
				assert.Equal(t, time.Since(begin), 2250*time.Millisecond)
				assert.Equal(t, len(out.lines("otlpx: stopped with telemetry undelivered", "signal=traces", "lost="+strconv.Itoa(calls))), 1)
				assert.Equal(t, len(out.lines("otlpx: export failing")), 0) // it is said once
			})
		})
	}
}

// What waits is delivered within the budget when the collector is well.
func TestDrainFlushes(t *testing.T) {
	exportTo(t, "grpc", "http://127.0.0.1:4317")
	synctest.Test(t, func(t *testing.T) {
		c, lis := &collector{slow: 100 * time.Millisecond}, bufconn.Listen(1<<20)
		m := &memory{lis: lis}
		stop := c.serve(t, "grpc", nil, lis)
		defer stop()
		var out logBuffer
		var own *slog.Logger
		srv := grpcxtest.New(t, out.option(), otlpx.New(otlpx.WithDialer(m.dial)), withService(nil),
			grpcx.WithDrain(grpcx.Drain{Stop: 5 * time.Second}),
			grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
				own = s.Logger()
				s.OnStop("own", func(context.Context) error { own.Info("the last words"); return nil })
				return nil
			}))
		for range 600 {
			call(t, srv.Conn)
		}
		assert.NoError(t, srv.Stop())
		assert.Equal(t, len(c.spans), 600)
		assert.Equal(t, len(logsOf(c, "the last words")), 1)
		assert.Equal(t, len(out.lines("otlpx:")), 0)
	})
}
