package healthx_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // turns on client-side health checking
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// backend is a plain grpc.Server with a registry that counts its calls.
type backend struct {
	registry *healthx.Registry
	server   *grpc.Server
	lis      *bufconn.Listener
	calls    atomic.Int32 // of Check
	watches  atomic.Int32
	open     atomic.Int32 // watches that have not ended
}

func newBackend(t *testing.T) *backend {
	b := &backend{registry: healthx.NewRegistry(quiet), lis: bufconn.Listen(1 << 16)}
	b.server = grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			b.calls.Add(1)
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			b.watches.Add(1)
			b.open.Add(1)
			defer b.open.Add(-1)
			return handler(srv, ss)
		}))
	b.registry.AddService("a")
	b.registry.Register(b.server)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(b.lis) }()
	stop := run(t, b.registry)
	t.Cleanup(func() {
		b.server.Stop()
		assert.NoError(t, <-served)
		stop()
	})
	return b
}

// dial returns a round-robin client that checks the health of service "a".
func dial(t *testing.T, backends map[string]*backend) *grpc.ClientConn {
	res := manual.NewBuilderWithScheme("test")
	var state resolver.State
	for addr := range backends {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: addr})
	}
	res.InitialState(state)
	conn, err := grpc.NewClient("test:///backends",
		grpc.WithResolvers(res),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":"a"}}`),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return backends[addr].lis.DialContext(ctx) }))
	assert.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	conn.Connect()
	return conn
}

// spread sends ten calls and returns how many each backend got.
func spread(t *testing.T, conn *grpc.ClientConn, x, y *backend) (int32, int32) {
	t.Helper()
	synctest.Wait()
	x.calls.Store(0)
	y.calls.Store(0)
	for range 10 {
		_, err := healthpb.NewHealthClient(conn).Check(t.Context(), request("liveness"))
		assert.NoError(t, err)
	}
	return x.calls.Load(), y.calls.Load()
}

func TestClientMovesOffAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := newBackend(t), newBackend(t)
		conn := dial(t, map[string]*backend{"x": x, "y": y})
		onX, onY := spread(t, conn, x, y)
		assert.Equal(t, []int32{onX, onY}, []int32{5, 5})

		assert.NoError(t, x.registry.SetServing("a", false))
		onX, onY = spread(t, conn, x, y)
		assert.Equal(t, []int32{onX, onY}, []int32{0, 10})

		assert.NoError(t, x.registry.SetServing("a", true))
		onX, onY = spread(t, conn, x, y)
		assert.Equal(t, []int32{onX, onY}, []int32{5, 5})
		assert.Equal(t, x.watches.Load(), 1, "one stream carries all changes")

		x.registry.Drain()
		onX, onY = spread(t, conn, x, y)
		assert.Equal(t, []int32{onX, onY}, []int32{0, 10})
	})
}

// TestClientFollowsACheck: the client moves when the threshold is reached.
func TestClientFollowsACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := newBackend(t), newBackend(t)
		var down atomic.Bool
		assert.NoError(t, x.registry.AddCheck("db", func(context.Context) error {
			if down.Load() {
				return errDown
			}
			return nil
		}, healthx.Interval(time.Second), healthx.Jitter(0), healthx.FailureThreshold(2), healthx.Services("a")))
		conn := dial(t, map[string]*backend{"x": x, "y": y})
		synctest.Wait()
		time.Sleep(time.Second / 2)
		down.Store(true)
		for _, want := range []int32{5, 5, 0, 0} {
			onX, onY := spread(t, conn, x, y)
			assert.Equal(t, []int32{onX, onY}, []int32{want, 10 - want})
			time.Sleep(time.Second)
		}
		down.Store(false)
		time.Sleep(time.Second)
		onX, onY := spread(t, conn, x, y)
		assert.Equal(t, []int32{onX, onY}, []int32{5, 5})
	})
}

// TestDrainDoesNotMakeClientsRewatch runs the lifecycle that the package
// documentation gives. Ending the streams at the drain instead costs
// thousands of Watch calls a second from each client.
func TestDrainDoesNotMakeClientsRewatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 5
		b := newBackend(t)
		conns := make([]*grpc.ClientConn, clients)
		for i := range conns {
			conns[i] = dial(t, map[string]*backend{"b": b})
		}
		synctest.Wait()
		for _, conn := range conns {
			assert.Equal(t, conn.GetState(), connectivity.Ready)
		}
		assert.Equal(t, b.watches.Load(), clients)

		b.registry.Drain()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, b.watches.Load(), clients, "the streams stay open while draining")
		assert.Equal(t, b.open.Load(), clients)
		for _, conn := range conns {
			assert.Equal(t, conn.GetState(), connectivity.TransientFailure)
		}

		before := time.Now()
		stopped := make(chan struct{})
		go func() { b.server.GracefulStop(); close(stopped) }()
		b.registry.Close()
		<-stopped
		assert.True(t, time.Since(before) < time.Second, time.Since(before).String())
		time.Sleep(time.Minute)
		assert.True(t, b.watches.Load() <= 2*clients)
		assert.Equal(t, b.open.Load(), 0)
	})
}

// TestCloseOnALiveServerKeepsClientsInBackoff covers a server that closes its
// registry but is slow to stop: clients must neither consider it healthy nor
// hammer it.
func TestCloseOnALiveServerKeepsClientsInBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t)
		conn := dial(t, map[string]*backend{"b": b})
		synctest.Wait()
		assert.Equal(t, conn.GetState(), connectivity.Ready)
		b.registry.Close()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.True(t, conn.GetState() != connectivity.Ready)
		assert.True(t, b.watches.Load() >= 3 && b.watches.Load() <= 12)
	})
}
