package grpcxtest_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

type service struct {
	testgrpc.UnimplementedTestServiceServer
	slow time.Duration
}

func (s service) EmptyCall(ctx context.Context, _ *testgrpc.Empty) (*testgrpc.Empty, error) {
	select {
	case <-time.After(s.slow):
	case <-ctx.Done():
	}
	if id, ok := grpcx.PeerIdentity(ctx); ok {
		_ = grpc.SetHeader(ctx, map[string][]string{"caller": id.DNSNames()})
	}
	return &testgrpc.Empty{}, nil
}

func serving(s service) grpcx.Option {
	return grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, s) })
}

func TestNew(t *testing.T) {
	srv := grpcxtest.New(t, serving(service{}))
	_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	_, err = testgrpc.NewTestServiceClient(srv.Dial(t)).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	assert.NoError(t, srv.Stop())
	assert.True(t, srv.Stopped())
}

func TestNewMTLS(t *testing.T) {
	srv := grpcxtest.NewMTLS(t, serving(service{}))
	var header metadata.MD
	_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(t.Context(), &testgrpc.Empty{}, grpc.Header(&header))
	assert.NoError(t, err)
	assert.Equal(t, header.Get("caller"), []string{"client.localhost"})
}

// In a bubble the drain runs on fake time.
func TestInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := grpcxtest.New(t,
			serving(service{slow: 10 * time.Minute}),
			grpcx.WithDrain(grpcx.Drain{Delay: time.Minute, Timeout: time.Hour}))
		call := make(chan error)
		go func() {
			_, err := testgrpc.NewTestServiceClient(srv.Conn).EmptyCall(t.Context(), &testgrpc.Empty{})
			call <- err
		}()
		synctest.Wait()
		begin := time.Now()
		go func() { _ = srv.Shutdown(t.Context()) }()
		assert.NoError(t, <-call)
		<-srv.Done()
		assert.Equal(t, time.Since(begin), 10*time.Minute)
	})
}

// What goes wrong fails the test that it belongs to.
func TestFailures(t *testing.T) {
	for name, opt := range map[string]grpcx.Option{
		"wrong option": grpcx.WithAddr("nowhere"),
		"wrong set-up": grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { return context.Canceled }),
	} {
		t.Run(name, func(t *testing.T) {
			rec := &recorder{TB: t}
			done := make(chan struct{})
			go func() { defer close(done); grpcxtest.New(rec, opt) }()
			<-done
			assert.True(t, rec.failed)
		})
	}
}

// recorder is a testing.TB that only remembers that it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = true
	r.Logf(format, args...)
	runtime.Goexit()
}
