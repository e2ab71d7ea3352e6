package healthx_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// peer is another server, seen through a connection that dials it in memory.
type peer struct {
	conn  *grpc.ClientConn
	dials int
	down  time.Time // dialing fails until then
}

// newPeer serves r, or no health service if that is nil.
func newPeer(t *testing.T, target string, r *healthx.Registry) *peer {
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	if r != nil {
		r.Register(server)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	p := &peer{}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			p.dials++
			if time.Now().Before(p.down) {
				return nil, errors.New("connection refused")
			}
			return lis.DialContext(ctx)
		}))
	assert.NoError(t, err)
	p.conn = conn
	t.Cleanup(func() {
		_ = conn.Close() // a test may have done it
		server.Stop()
		assert.NoError(t, <-served)
	})
	return p
}

func TestConnConnectsAnIdleChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, "passthrough:///orders", nil)
		check := healthx.Conn(p.conn)
		for range 2 {
			assert.NoError(t, check(t.Context()))
			assert.Equal(t, p.conn.GetState(), connectivity.Ready)
		}
		assert.Equal(t, p.dials, 1)

		// The channel falls idle after 30 minutes without a call.
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		assert.Equal(t, p.conn.GetState(), connectivity.Idle)
		assert.NoError(t, check(t.Context()))
		assert.Equal(t, p.dials, 2)
	})
}

func TestConnWaitsForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, "passthrough:///orders", nil)
		begin := time.Now()
		p.down = begin.Add(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		assert.NoError(t, healthx.Conn(p.conn)(ctx))
		assert.True(t, time.Since(begin) >= 2*time.Second && time.Since(begin) < 9*time.Second, time.Since(begin).String())
	})
}

func TestConnSaysWhyThereIsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, "passthrough:///user:hunter2@orders?token=hunter2", nil)
		p.down = time.Now().Add(24 * time.Hour)
		r := healthx.NewRegistry(quiet)
		assert.NoError(t, r.AddCheck("orders", healthx.Conn(p.conn, "shop.Orders"), healthx.Jitter(0)))
		begin := time.Now()
		stop := run(t, r)
		time.Sleep(5*time.Second - 1)
		rep := checkReport(t, r, "orders")
		assert.Equal(t, rep.LastCheck, begin.Add(4500*time.Millisecond), "in time to be heard")
		assert.Contains(t, rep.Error, "grpc orders: no connection, it is TRANSIENT_FAILURE: connection error", "connection refused", "; check the address")
		assert.NotContains(t, rep.Error, "hunter2", "user")
		stop()
	})
}

func TestConnGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, "passthrough:///orders", nil)
		p.down = time.Now().Add(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		begin := time.Now()
		assert.ErrorIs(t, healthx.Conn(p.conn)(ctx), context.Canceled)
		assert.Equal(t, time.Since(begin), 3*time.Second)

		assert.NoError(t, p.conn.Close())
		assert.ErrorContains(t, healthx.Conn(p.conn)(t.Context()), "grpc passthrough:///orders: the program has closed the connection")
		assert.ErrorContains(t, healthx.Conn(nil)(t.Context()), "the connection is nil", "grpc.NewClient")
	})
}

func TestConnAsksForServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := healthx.NewRegistry(quiet)
		other.AddService("a", "b")
		defer run(t, other)()
		synctest.Wait()
		assert.NoError(t, other.SetServing("b", false))
		p := newPeer(t, "passthrough:///orders", other)
		services := []string{"", "a"}
		check := healthx.Conn(p.conn, services...)
		services[1] = "b"
		assert.NoError(t, check(t.Context()))
		assert.ErrorContains(t, healthx.Conn(p.conn, "a", "b")(t.Context()), `grpc passthrough:///orders: service "b" is NOT_SERVING; ask`)
		assert.ErrorContains(t, healthx.Conn(p.conn, "typo")(t.Context()), `does not know the service "typo"; check its name`)
		assert.NoError(t, healthx.Conn(p.conn)(t.Context()), "not asked")

		other.Drain()
		assert.ErrorContains(t, check(t.Context()), `service "" is NOT_SERVING`)

		without := newPeer(t, "passthrough:///orders", nil)
		assert.NoError(t, healthx.Conn(without.conn, "a")(t.Context()), "no health service")
	})
}

func TestConnPassesOtherErrorsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 16)
		server := grpc.NewServer(grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(codes.PermissionDenied, "who are you?")
		}))
		healthx.NewRegistry(quiet).Register(server)
		served := make(chan error, 1)
		go func() { served <- server.Serve(lis) }()
		conn, err := grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		assert.NoError(t, err)
		err = healthx.Conn(conn, "a")(t.Context())
		assert.ErrorContains(t, err, `grpc passthrough:///orders: asking for the health of service "a"`, "who are you?")
		assert.Equal(t, status.Code(err), codes.PermissionDenied)
		assert.NoError(t, conn.Close())
		server.Stop()
		assert.NoError(t, <-served)
	})
}

func TestRedactTarget(t *testing.T) {
	for target, want := range map[string]string{
		"dns:///orders:443":                  "dns:///orders:443",
		"orders:443":                         "orders:443",
		"10.0.0.1:443":                       "10.0.0.1:443",
		"unix:/run/orders.sock":              "unix:/run/orders.sock",
		"unix-abstract:orders":               "unix-abstract:orders",
		"dns://u:p@8.8.8.8/orders?key=p":     "dns://8.8.8.8/orders",
		"dns:///u:p@orders:443#p":            "orders:443",
		"u:p@10.0.0.1:443?key=p":             "10.0.0.1:443",
		"10.0.0.1:443?key=p":                 "10.0.0.1:443",
		"xds:///orders.example.com":          "xds:///orders.example.com",
		"dns:///orders.svc.cluster.local:80": "dns:///orders.svc.cluster.local:80",
	} {
		assert.Equal(t, healthx.RedactTarget(target), want, target)
	}
}
