package grpcx_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// plainDial connects as kubelet does: plaintext, no certificate.
func plainDial(t testing.TB, addr net.Addr) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// probe returns the status of a name, or the error's code.
func probe(ctx context.Context, conn *grpc.ClientConn, name string) string {
	ctx, cancel := context.WithTimeout(ctx, childLimit)
	defer cancel()
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: name})
	if err != nil {
		return status.Code(err).String()
	}
	return reply.GetStatus().String()
}

// The probe port speaks plaintext beside mutual TLS, and health alone.
func TestProbeAddr(t *testing.T) {
	srv := grpcxtest.NewMTLS(t, withService(&service{}), grpcx.WithReflection(), grpcx.WithProbeAddr("127.0.0.1:0"))
	conn := plainDial(t, srv.ProbeAddr())
	for _, name := range []string{"", "readiness", "liveness", "startup", "grpc.testing.TestService"} {
		assert.Equal(t, probe(t.Context(), conn, name), "SERVING", name)
	}
	assert.Equal(t, probe(t.Context(), conn, "no.Such"), "NotFound")

	_, err := testgrpc.NewTestServiceClient(conn).EmptyCall(t.Context(), &testgrpc.Empty{})
	wantCode(t, err, codes.Unimplemented)
	stream, err := testgrpc.NewTestServiceClient(conn).FullDuplexCall(t.Context())
	assert.NoError(t, err)
	_, err = stream.Recv()
	wantCode(t, err, codes.Unimplemented)
	info, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	assert.NoError(t, err)
	_, err = info.Recv()
	wantCode(t, err, codes.Unimplemented)

	// The serving port has all of it, and only over TLS.
	_, err = client(srv).EmptyCall(t.Context(), &testgrpc.Empty{})
	assert.NoError(t, err)
	assert.Equal(t, probe(t.Context(), srv.Conn, ""), "SERVING")
	assert.Equal(t, probe(t.Context(), plainDial(t, srv.Addrs()[0]), ""), "Unavailable")
}

// While the drain lasts the probe port answers: not ready, alive.
func TestProbeDuringTheDrain(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var inHook []string
	var srv *grpcxtest.Server
	srv = grpcxtest.NewMTLS(t, grpcx.WithProbeAddr("127.0.0.1:0"),
		grpcx.WithDrain(grpcx.Drain{Timeout: childLimit, Stop: childLimit}),
		withService(&service{unary: func(context.Context) error {
			close(entered)
			<-release
			return nil
		}}),
		grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			s.OnStop("look", func(ctx context.Context) error {
				conn := plainDial(t, srv.ProbeAddr())
				inHook = []string{probe(ctx, conn, "readiness"), probe(ctx, conn, "liveness")}
				return nil
			})
			return nil
		}))
	conn := plainDial(t, srv.ProbeAddr())
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "liveness"})
	assert.NoError(t, err)
	first, err := watch.Recv()
	assert.NoError(t, err)
	assert.Equal(t, first.GetStatus(), healthpb.HealthCheckResponse_SERVING)

	call := background(func() { _, err = client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
	within(t, childLimit, "the call", entered)
	begin := time.Now()
	var stopErr error
	stopped := background(func() { stopErr = srv.Stop() })
	for name, want := range map[string]string{"": "NOT_SERVING", "readiness": "NOT_SERVING", "grpc.testing.TestService": "NOT_SERVING", "liveness": "SERVING"} {
		waitFor(t, name+" "+want, func() bool { return probe(t.Context(), conn, name) == want })
	}
	// The serving port is closed by now, the probe port takes new connections.
	waitFor(t, "the end of the serving port", func() bool {
		c, err := net.Dial("tcp", srv.Addrs()[0].String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	late := plainDial(t, srv.ProbeAddr())
	assert.Equal(t, probe(t.Context(), late, "liveness"), "SERVING")
	assert.Equal(t, probe(t.Context(), late, "readiness"), "NOT_SERVING")
	assert.True(t, !closed(srv.Done()), "the drain goes on")
	close(release)
	<-call
	assert.NoError(t, err)
	<-stopped
	assert.NoError(t, stopErr)
	t.Logf("drained after %v", time.Since(begin))
	assert.Equal(t, inHook, []string{"NOT_SERVING", "SERVING"}, "during the stop hooks")
	assert.Equal(t, probe(t.Context(), late, "liveness"), "Unavailable", "after the drain")
}
