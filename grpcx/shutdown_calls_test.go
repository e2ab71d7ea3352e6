package grpcx_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// shutdownTogether calls Shutdown from ten goroutines at once and waits for
// them.
func shutdownTogether(t *testing.T, srv *grpcx.Server) {
	t.Helper()
	start := make(chan struct{})
	var calls sync.WaitGroup
	for range 10 {
		calls.Go(func() {
			<-start
			if err := srv.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if !closed(srv.Done()) {
				t.Error("Shutdown returned before the drain was over")
			}
		})
	}
	close(start)
	within(t, childLimit, "Shutdown", background(calls.Wait))
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// quietServer is a server that logs nothing, has stream workers and a short
// drain.
func quietServer(t testing.TB, opts ...grpcx.Option) *grpcx.Server {
	t.Helper()
	srv, err := grpcx.New(append([]grpcx.Option{
		grpcx.WithInsecure(), grpcx.WithLogger(slog.New(slog.DiscardHandler)),
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: 5 * time.Second, Stop: 5 * time.Second}),
		grpcx.WithServerOptions(grpc.NumStreamWorkers(3)),
	}, opts...)...)
	assert.NoError(t, err)
	return srv
}

// wantClosed fails the test unless the listener is closed.
func wantClosed(t *testing.T, lis *bufconn.Listener) {
	t.Helper()
	within(t, childLimit, "closing the listener", background(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}))
}

// A Shutdown before Serve is final: Serve returns nil at once, each time, and
// closes what it was given.
func TestShutdownBeforeServe(t *testing.T) {
	own, given, again := bufconn.Listen(1), bufconn.Listen(1), bufconn.Listen(1)
	srv := quietServer(t, grpcx.WithListener(own))
	shutdownTogether(t, srv)
	for _, lis := range []net.Listener{given, again} {
		served := background(func() {
			if err := srv.Serve(context.Background(), lis); err != nil {
				t.Error(err)
			}
		})
		within(t, childLimit, "Serve", served)
	}
	for _, lis := range []*bufconn.Listener{own, given, again} {
		wantClosed(t, lis)
	}
	assert.True(t, !closed(srv.Ready()), "never ready")
}

func TestShutdownDuringServe(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	srv := grpcxtest.New(t, withService(&service{unary: func(context.Context) error {
		close(entered)
		<-release
		return nil
	}}), grpcx.WithDrain(grpcx.Drain{Timeout: childLimit}))
	var err error
	call := background(func() { _, err = client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
	within(t, childLimit, "the call", entered)
	down := background(func() { shutdownTogether(t, srv.Server) })
	waitFor(t, "the drain", func() bool { s, _ := srv.Health().Status(""); return s.String() == "NOT_SERVING" })
	assert.True(t, !closed(srv.Done()), "the drain waits for the call")
	close(release)
	<-down
	<-call
	assert.NoError(t, err)
	assert.NoError(t, srv.Stop())
}

func TestShutdownAfterServe(t *testing.T) {
	srv := grpcxtest.New(t)
	assert.NoError(t, srv.Stop())
	shutdownTogether(t, srv.Server)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, srv.Shutdown(ended))
}

func TestServeTwice(t *testing.T) {
	srv := grpcxtest.New(t)
	for range 2 { // while it serves, and after
		lis := bufconn.Listen(1)
		assert.ErrorContains(t, srv.Serve(t.Context(), lis), "serves once", "New")
		wantClosed(t, lis)
		assert.NoError(t, srv.Stop())
	}
}

// workers counts grpc-go's stream workers in this process.
func workers() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "grpc.(*Server).serverWorker(")
}

// The grpc.Server underneath leaves no goroutine, whenever it was asked for.
func TestGRPCLeavesNoGoroutine(t *testing.T) {
	gone := func(t *testing.T) {
		t.Helper()
		waitFor(t, "the end of the stream workers", func() bool { return workers() == 0 })
	}
	gone(t)
	t.Run("New alone", func(t *testing.T) {
		quietServer(t)
		assert.Equal(t, workers(), 0)
	})
	t.Run("before Shutdown", func(t *testing.T) {
		srv := quietServer(t)
		assert.True(t, srv.GRPC() != nil)
		waitFor(t, "the stream workers", func() bool { return workers() == 3 })
		assert.NoError(t, srv.Shutdown(t.Context()))
		gone(t)
	})
	t.Run("after Shutdown", func(t *testing.T) {
		srv := quietServer(t)
		assert.NoError(t, srv.Shutdown(t.Context()))
		var err error
		within(t, childLimit, "refusing to serve", background(func() { err = srv.GRPC().Serve(bufconn.Listen(1)) }))
		assert.ErrorIs(t, err, grpc.ErrServerStopped)
		gone(t)
	})
	t.Run("after a set-up that failed", func(t *testing.T) {
		broken := errors.New("no queue")
		srv := quietServer(t, grpcx.WithListener(bufconn.Listen(1)),
			grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { return broken }))
		assert.ErrorIs(t, srv.Serve(t.Context()), broken)
		assert.True(t, srv.GRPC() != nil)
		gone(t)
	})
	t.Run("before Serve", func(t *testing.T) {
		lis := bufconn.Listen(1)
		srv := quietServer(t, grpcx.WithListener(lis))
		srv.GRPC()
		served := background(func() { _ = srv.Serve(context.Background()) })
		<-srv.Ready()
		assert.NoError(t, srv.Shutdown(t.Context()))
		<-served
		gone(t)
	})
}

// What comes too late is refused, the server goes on, and Serve's error says it.
func TestTooLate(t *testing.T) {
	var logs logBuffer
	hold, entered := make(chan struct{}), make(chan struct{})
	srv := grpcxtest.New(t, logs.option(), withService(&service{unary: func(context.Context) error {
		close(entered)
		<-hold
		return nil
	}}), grpcx.WithDrain(grpcx.Drain{Timeout: childLimit}))
	testgrpc.RegisterReconnectServiceServer(srv, testgrpc.UnimplementedReconnectServiceServer{})
	srv.RegisterService(nil, nil)
	_, err := client(srv).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	_, known := srv.GetServiceInfo()["grpc.testing.ReconnectService"]
	assert.True(t, !known, "refused")

	call := background(func() { _, _ = client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
	within(t, childLimit, "the call", entered)
	stopped := background(func() { err = srv.Stop() })
	waitFor(t, "the drain", func() bool { s, _ := srv.Health().Status(""); return s.String() == "NOT_SERVING" })
	waitFor(t, "the refusal of tasks", func() bool {
		ran := make(chan struct{})
		srv.Go("straggler", func(context.Context) error { close(ran); return nil })
		return !closed(ran) && len(logs.lines("straggler")) > 0
	})
	close(hold)
	<-call
	<-stopped
	names := optionErrors(err)
	assert.Equal(t, names[:min(len(names), 3)], []string{"RegisterService.grpc.testing.ReconnectService", "RegisterService", "Go.straggler"})
	assert.ErrorContains(t, err, "register before Run or Serve", "start tasks before that")
	assert.Contains(t, logs.String(), "registration refused", "task refused")
	srv.Go("ghost", func(context.Context) error { t.Error("a task ran after the end"); return nil })
}

// Two hundred short lives, with every method called at a random moment from
// its own goroutine: no panic, no hang, no race, and nothing stays behind.
func TestShutdownRandomised(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		randomLife(t, rnd)
	}
}

func randomLife(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	lis, second := bufconn.Listen(1<<10), bufconn.Listen(1)
	srv := quietServer(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	assert.NoError(t, err)
	defer conn.Close()

	serve := func(lis net.Listener) func() {
		return func() { checkLifeError(t, srv.Serve(context.Background(), lis)) }
	}
	shutdown := func() { _ = srv.Shutdown(context.Background()) }
	ops := []func(){
		serve(lis), serve(second), shutdown,
		func() { srv.GRPC() },
		func() { testgrpc.RegisterTestServiceServer(srv, &service{}) },
		func() { srv.Go("task", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) },
		func() { srv.GetServiceInfo(); srv.Addrs(); srv.Settings() },
		func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, _ = testgrpc.NewTestServiceClient(conn).EmptyCall(ctx, &testgrpc.Empty{})
		},
	}
	for range rnd.IntN(10) {
		ops = append(ops, shutdown)
	}
	if rnd.IntN(3) == 0 {
		ops = append(ops, func() { _ = srv.Shutdown(ended) })
	}
	rnd.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	var all sync.WaitGroup
	for _, op := range ops {
		yields := rnd.IntN(200)
		all.Go(func() {
			for range yields {
				runtime.Gosched()
			}
			op()
		})
	}
	within(t, childLimit, "the end of a life", background(all.Wait))
	within(t, childLimit, "Done", srv.Done())
	for _, l := range []*bufconn.Listener{lis, second} {
		wantClosed(t, l)
	}
}

// checkLifeError accepts what Serve may return in a random life.
func checkLifeError(t *testing.T, err error) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "serves once") {
		return
	}
	if de, ok := errors.AsType[*grpcx.DrainError](err); ok && de.Hurried {
		return
	}
	if oe, ok := errors.AsType[*grpcx.OptionError](err); ok && (oe.Option == "RegisterService" || oe.Option == "Go") {
		return
	}
	t.Errorf("Serve returned %v", err)
}
