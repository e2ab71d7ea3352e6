package promx_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/promx"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

func traceID(ctx context.Context) string { return trace.SpanContextFromContext(ctx).TraceID().String() }

func clientOf(certs *devcert.Authority) credentials.TransportCredentials {
	return credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
}

// logBuffer is a log to read.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) option() grpcx.Option {
	return grpcx.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

// What is wrong makes Serve fail, with what to do about it.
func TestMistakes(t *testing.T) {
	registry := prometheus.NewRegistry()
	reader, page := promx.NewReader(nil)
	assert.True(t, reader != nil, "a reader")
	for name, test := range map[string]struct {
		opts  []grpcx.Option
		parts []string
	}{
		"no admin listener": {[]grpcx.Option{promx.New()}, []string{"admin listener", "WithAdminAddr", "WithRegistry(registry, nil)"}},
		"another provider": {[]grpcx.Option{promx.New(), withAdmin(), grpcx.WithMeterProvider(noop.NewMeterProvider())},
			[]string{"WithMeterProvider", "promx.NewReader", "otlpx.WithMetricReader"}},
		"twice":                   {[]grpcx.Option{promx.New(), promx.New(), withAdmin()}, []string{"SetMeterProvider", "promx.NewReader"}},
		"both at once":            {[]grpcx.Option{promx.New(), grpcx.WithMeterProvider(noop.NewMeterProvider())}, []string{"promx.NewReader", "WithAdminAddr"}},
		"nil registerer":          {[]grpcx.Option{promx.New(promx.WithRegistry(nil, registry))}, []string{"WithRegistry", "registerer is nil", "leave the option out"}},
		"nil registry":            {[]grpcx.Option{promx.New(promx.WithRegistry((*prometheus.Registry)(nil), registry))}, []string{"registerer is nil"}},
		"nil option":              {[]grpcx.Option{promx.New(nil)}, []string{"promx: an option is nil"}},
		"nil option of NewReader": {[]grpcx.Option{page}, []string{"promx: an option is nil"}},
		"refusing registerer":     {[]grpcx.Option{promx.New(promx.WithRegistry(refusing{}, registry))}, []string{"WithRegistry", io.ErrClosedPipe.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := grpcx.New(append(test.opts, grpcx.WithInsecure())...)
			assert.NoError(t, err)
			assert.ErrorContains(t, srv.Serve(t.Context(), bufconn.Listen(1)), test.parts...)
		})
	}
}

type refusing struct{ prometheus.Registerer }

func (refusing) Register(prometheus.Collector) error { return io.ErrClosedPipe }

// A registry of the program has our metrics beside its own, with or without a
// page, and none of ours once the server has stopped.
func TestRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	orders := prometheus.NewCounter(prometheus.CounterOpts{Name: "orders_total", Help: "Orders."})
	registry.MustRegister(orders)
	orders.Add(7)

	srv := grpcxtest.New(t, withAdmin(), promx.New(promx.WithRegistry(registry, registry)), serving(nil))
	_, _, body := scrape(t, srv.AdminAddr(), plainText)
	assert.Contains(t, body, "orders_total 7", "grpcx_health_ready 1", "go_goroutines", "process_start_time_seconds")
	assert.Equal(t, len(series(body, "go_goroutines")), 1)
	assert.NoError(t, srv.Stop())

	srv = grpcxtest.New(t, promx.New(promx.WithRegistry(registry, nil)), serving(nil)) // nowhere to serve a page
	own := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer own.Close()
	body = get(t, own.URL)
	assert.Contains(t, body, "orders_total 7")
	assert.Equal(t, len(series(body, "grpcx_health_ready")), 1)
	assert.NoError(t, srv.Stop())
	body = get(t, own.URL)
	assert.Contains(t, body, "orders_total 7")
	assert.Equal(t, series(body, "grpcx_"), nil)
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	assert.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	return string(b)
}

// The reader of a provider that somebody else made and ends.
func TestNewReader(t *testing.T) {
	reader, page := promx.NewReader()
	other := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithReader(other))
	orders, err := provider.Meter("shop").Int64Counter("shop.orders")
	assert.NoError(t, err)
	orders.Add(t.Context(), 3)

	srv := grpcxtest.New(t, withAdmin(), page, grpcx.WithMeterProvider(provider), serving(nil))
	call(t, srv.Conn, 2)
	_, _, body := scrape(t, srv.AdminAddr(), plainText)
	assert.Contains(t, body, `shop_orders_total{otel_scope_name="shop",otel_scope_schema_url="",otel_scope_version=""} 3`,
		`grpcx_health_ready{otel_scope_name="github.com/grpcx-go/sdk/grpcx"`)
	assert.NoError(t, srv.Stop())
	orders.Add(t.Context(), 1) // the provider is still at work
	assert.NoError(t, provider.Shutdown(t.Context()))

	// A reader that was given to nobody says so.
	_, page = promx.NewReader()
	srv = grpcxtest.New(t, withAdmin(), page, serving(nil))
	for range 2 {
		code, _, body := scrape(t, srv.AdminAddr(), plainText)
		assert.Equal(t, code, http.StatusInternalServerError)
		assert.Contains(t, body, "sdkmetric.WithReader", "otlpx.WithMetricReader")
	}
}

// One option, several servers: each page has its own server.
func TestSeveralServers(t *testing.T) {
	option := promx.New()
	one := grpcxtest.New(t, withAdmin(), option, serving(nil))
	two := grpcxtest.New(t, withAdmin(), option, serving(nil))
	call(t, one.Conn, 5)
	for srv, want := range map[*grpcxtest.Server][]string{
		one: {`rpc_server_call_duration_seconds_count{rpc_method="` + method + `",rpc_response_status_code="OK",rpc_system_name="grpc"} 5`},
		two: nil,
	} {
		_, _, body := scrape(t, srv.AdminAddr(), plainText)
		assert.Equal(t, series(body, "rpc_server_call_duration_seconds_count"), want)
	}
}

// Without metrics there are those of the runtime.
func TestWithoutMetrics(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin(), promx.New(), grpcx.Without(grpcx.Metrics), serving(nil))
	_, _, body := scrape(t, srv.AdminAddr(), plainText)
	assert.Contains(t, body, "go_goroutines")
	assert.Equal(t, series(body, "grpcx_"), nil)
}

// Scrapes while calls are made, and while the server stops.
func TestConcurrently(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin(), promx.New(promx.WithNativeHistograms()), serving(nil))
	var wg sync.WaitGroup
	for _, format := range []string{plainText, openMetrics, protobuf, plainText} {
		wg.Go(func() {
			for range 20 {
				code, _, _ := scrape(t, srv.AdminAddr(), format)
				assert.Equal(t, code, 200)
			}
		})
		wg.Go(func() { call(t, srv.Conn, 100) })
	}
	wg.Wait()
	_, _, body := scrape(t, srv.AdminAddr(), plainText)
	assert.Contains(t, strings.Join(series(body, "rpc_server_call_duration_seconds_count"), "\n"), "} 400")
	wg.Go(func() { _ = srv.Stop() })
	for !srv.Stopped() {
		resp, err := client.Get("http://" + srv.AdminAddr().String() + "/metrics")
		if err != nil {
			break
		}
		_ = resp.Body.Close()
	}
	wg.Wait()
}

// The page outlives an abandoned call until it has been read.
func TestLastScrape(t *testing.T) {
	entered := make(chan struct{})
	srv := grpcxtest.New(t, withAdmin(), promx.New(),
		grpcx.WithDrain(grpcx.Drain{Timeout: 50 * time.Millisecond, Stop: 30 * time.Second}),
		serving(func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}))
	go func() {
		_, _ = testgrpc.NewTestServiceClient(srv.Conn).UnaryCall(t.Context(), new(testgrpc.SimpleRequest))
	}()
	<-entered
	begin := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Stop() }()
	want := `grpcx_drain_abandoned_total{rpc_method="` + method + `"} 1`
	for {
		code, _, body := scrape(t, srv.AdminAddr(), plainText)
		assert.Equal(t, code, 200)
		if strings.Contains(body, want) {
			assert.Contains(t, body, "grpcx_drain_phase 2")
			break
		}
		assert.Equal(t, len(stopped), 0, "the end before the scrape")
	}
	assert.ErrorContains(t, <-stopped, "UnaryCall")
	assert.True(t, time.Since(begin) < 10*time.Second, "nobody waits after the scrape")
}

// Where nobody reads, the drain ends within its time all the same, and one in
// which nothing is lost does not wait at all.
func TestNoLastScrape(t *testing.T) {
	entered := make(chan struct{})
	option := promx.New()
	srv := grpcxtest.New(t, withAdmin(), option,
		grpcx.WithDrain(grpcx.Drain{Timeout: 50 * time.Millisecond, Stop: time.Second}),
		serving(func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}))
	go func() {
		_, _ = testgrpc.NewTestServiceClient(srv.Conn).UnaryCall(t.Context(), new(testgrpc.SimpleRequest))
	}()
	<-entered
	begin := time.Now()
	assert.ErrorContains(t, srv.Stop(), "UnaryCall")
	took := time.Since(begin)
	assert.True(t, took > 300*time.Millisecond && took < 1500*time.Millisecond, took.String())

	srv = grpcxtest.New(t, withAdmin(), option, grpcx.WithDrain(grpcx.Drain{Stop: time.Minute}), serving(nil))
	call(t, srv.Conn, 1)
	begin = time.Now()
	assert.NoError(t, srv.Stop())
	assert.True(t, time.Since(begin) < 5*time.Second, "nobody waits")
}
