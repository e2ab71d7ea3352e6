package healthx_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

var quiet = healthx.WithLogger(slog.New(slog.DiscardHandler))

func healthy(context.Context) error { return nil }

// run starts r.Run and returns a function that ends it and waits for it.
func run(t testing.TB, r *healthx.Registry) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			cancel()
			assert.NoError(t, <-done)
		})
	}
}

// expect checks the statuses of names, written as "a=SERVING b=NOT_SERVING".
func expect(t testing.TB, r *healthx.Registry, want string) {
	t.Helper()
	var got []string
	for pair := range strings.FieldsSeq(want) {
		name, _, _ := strings.Cut(pair, "=")
		status, ok := r.Status(name)
		text := status.String()
		if !ok {
			text = "unknown"
		}
		got = append(got, name+"="+text)
	}
	assert.Equal(t, strings.Join(got, " "), want)
}

// direct returns the implementation that r registers, to be called without a
// connection.
func direct(r *healthx.Registry) healthpb.HealthServer {
	var c capture
	r.Register(&c)
	return c.impl.(healthpb.HealthServer)
}

type capture struct {
	desc *grpc.ServiceDesc
	impl any
}

func (c *capture) RegisterService(desc *grpc.ServiceDesc, impl any) { c.desc, c.impl = desc, impl }

// serve runs a plain grpc.Server with r on an in-memory listener and returns
// a client. Everything ends with the test.
func serve(t testing.TB, r *healthx.Registry) (*grpc.Server, healthpb.HealthClient) {
	t.Helper()
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	r.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	assert.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		server.Stop()
		assert.NoError(t, <-served)
	})
	return server, healthpb.NewHealthClient(conn)
}

// events collects what an observer receives.
type events struct {
	mu  sync.Mutex
	all []healthx.Event
}

func (e *events) observe(ev healthx.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// take returns the events so far and forgets them.
func (e *events) take() []healthx.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func eventsOf[E healthx.Event](all []healthx.Event) []E {
	var found []E
	for _, ev := range all {
		if e, ok := ev.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// logBuffer is a log destination that tests read while others write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(strings.Lines(b.buf.String()))
}

func (b *logBuffer) option() healthx.Option {
	return healthx.WithLogger(slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func checkReport(t testing.TB, r *healthx.Registry, name string) healthx.CheckReport {
	t.Helper()
	rep := r.Report()
	i := slices.IndexFunc(rep.Checks, func(c healthx.CheckReport) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check %q in the report", name)
	}
	return rep.Checks[i]
}
