package grpcx_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // the client's half of health checking
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// replica is one server of a deployment.
type replica struct {
	*grpcx.Server
	calls   atomic.Int64 // unary calls answered
	watches atomic.Int64 // health streams opened
	served  <-chan struct{}
	err     error
}

// startReplica serves on addr and waits until it is ready.
func startReplica(t *testing.T, addr string, transport grpcx.Option) *replica {
	t.Helper()
	r := new(replica)
	var lis net.Listener
	waitFor(t, "the address "+addr, func() bool {
		var err error
		lis, err = net.Listen("tcp", addr)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
		return err == nil
	})
	srv, err := grpcx.New(transport, grpcx.WithListener(lis),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)),
		grpcx.WithDrain(grpcx.Drain{Delay: 60 * time.Millisecond, Timeout: 5 * time.Second, Stop: 5 * time.Second}),
		grpcx.WithStreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if info.FullMethod == "/grpc.health.v1.Health/Watch" {
				r.watches.Add(1)
			}
			return next(srv, ss)
		}))
	assert.NoError(t, err)
	testgrpc.RegisterTestServiceServer(srv, &service{unary: func(context.Context) error {
		r.calls.Add(1)
		<-time.After(2 * time.Millisecond) // some calls are always in flight
		return nil
	}})
	r.Server = srv
	r.served = background(func() { r.err = srv.Serve(context.Background()) })
	within(t, childLimit, "Ready", srv.Ready())
	return r
}

// stop drains the replica and returns how many health streams were opened once
// the drain had begun.
func (r *replica) stop(t *testing.T) (during int64) {
	t.Helper()
	before := r.watches.Load()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-r.served
	if r.err != nil {
		t.Errorf("Serve returned %v", r.err)
	}
	return r.watches.Load() - before
}

// Three servers behind one health-checking client, restarted one after another
// under load: no call fails, though nothing is retried, and the drain does not
// make the client open health streams over and over.
func TestRollingRestart(t *testing.T) {
	t.Run("plaintext", func(t *testing.T) {
		rollingRestart(t, 50, grpcx.WithInsecure(), insecure.NewCredentials())
	})
	t.Run("mutual TLS", func(t *testing.T) {
		certs, err := devcert.New()
		assert.NoError(t, err)
		rollingRestart(t, 15, grpcx.WithTLS(certs.ServerSource()),
			credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))))
	})
}

func rollingRestart(t *testing.T, restarts int, transport grpcx.Option, creds credentials.TransportCredentials) {
	const (
		servers = 3
		callers = 4
	)
	var replicas [servers]*replica
	var addrs []resolver.Address
	for i := range replicas {
		replicas[i] = startReplica(t, "127.0.0.1:0", transport)
		addrs = append(addrs, resolver.Address{Addr: replicas[i].Addrs()[0].String()})
	}
	res := manual.NewBuilderWithScheme("rolling")
	res.InitialState(resolver.State{Addresses: addrs})
	conn, err := grpc.NewClient(res.Scheme()+":///replicas", grpc.WithResolvers(res),
		grpc.WithTransportCredentials(creds),
		grpc.WithDisableRetry(),
		grpc.WithDefaultServiceConfig(`{
			"loadBalancingConfig": [{"round_robin": {}}],
			"healthCheckConfig": {"serviceName": "grpc.testing.TestService"}
		}`),
		grpc.WithConnectParams(grpc.ConnectParams{ // or a restart would take the client a second
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}))
	assert.NoError(t, err)
	defer conn.Close()

	var load sync.WaitGroup
	var calls, failed atomic.Int64
	done := make(chan struct{})
	for range callers {
		load.Go(func() {
			tick := time.NewTicker(time.Millisecond) // bounds the load
			defer tick.Stop()
			for !closed(done) {
				calls.Add(1)
				ctx, cancel := context.WithTimeout(context.Background(), childLimit)
				_, err := testgrpc.NewTestServiceClient(conn).UnaryCall(ctx, &testgrpc.SimpleRequest{})
				cancel()
				if err != nil && failed.Add(1) < 10 {
					t.Errorf("call failed: %v", err)
				}
				<-tick.C
			}
		})
	}
	finish := sync.OnceFunc(func() { close(done); load.Wait() })
	defer finish()
	back := func(r *replica) {
		t.Helper()
		waitFor(t, "the client", func() bool { return r.calls.Load() > 0 })
	}
	for _, r := range replicas {
		back(r)
	}

	begin := time.Now()
	var total, most int64
	for n := range restarts {
		i := n % servers
		old := replicas[i]
		during := old.stop(t)
		total, most = total+old.watches.Load(), max(most, old.watches.Load())
		if during > 1 || old.watches.Load() > 2 {
			t.Errorf("restart %d: %d health streams opened, %d of them in the drain", n, old.watches.Load(), during)
		}
		replicas[i] = startReplica(t, addrs[i].Addr, transport)
		back(replicas[i])
	}
	took := time.Since(begin)
	finish()
	for _, r := range replicas {
		r.stop(t)
	}
	t.Logf("%d restarts in %v; %d calls, %d failed; %d health streams in all, at most %d per server",
		restarts, took, calls.Load(), failed.Load(), total, most)
	assert.Equal(t, failed.Load(), 0, strconv.Itoa(int(calls.Load()))+" calls")
}
