//go:build !race

package grpcx_test

import (
	"math"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestAllocations holds what the server allocates above a bare one. Both run
// in this process, with the same client, over loopback TCP, and the client's
// allocations cancel out. Package bench measures the same apart.
//
// The budgets are what was measured plus a half: a new allocation per call has
// to be wanted. The race detector allocates by itself, so it is left out.
func TestAllocations(t *testing.T) {
	bare, ours := dialBare(t), dialOurs(t)
	for _, test := range []struct {
		name    string
		measure func(*testing.T, testgrpc.TestServiceClient) float64
		budget  float64
	}{
		{"unary call", unaryAllocs, 2.5},
		{"stream with one message", streamAllocs, 2.5},
		{"message of a stream", messageAllocs, 0.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, got := math.Inf(1), math.Inf(1)
			for range 5 { // alternately; noise only adds
				base = min(base, test.measure(t, bare))
				got = min(got, test.measure(t, ours))
			}
			t.Logf("bare %.2f, grpcx %.2f: %+.2f", base, got, got-base)
			if got-base > test.budget {
				t.Errorf("a %s allocates %.2f objects above a bare server's %.2f; the budget is %.1f",
					test.name, got-base, base, test.budget)
			}
		})
	}
}

func dialOurs(t *testing.T) testgrpc.TestServiceClient {
	t.Helper()
	lis := listenLoopback(t)
	grpcxtest.New(t, withService(&service{}), grpcx.WithListener(lis))
	return dialLoopback(t, lis.Addr())
}

func dialBare(t *testing.T) testgrpc.TestServiceClient {
	t.Helper()
	lis := listenLoopback(t)
	srv := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(srv, &service{})
	done := background(func() { _ = srv.Serve(lis) })
	t.Cleanup(func() { srv.Stop(); <-done })
	return dialLoopback(t, lis.Addr())
}

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	return lis
}

func dialLoopback(t *testing.T, addr net.Addr) testgrpc.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return testgrpc.NewTestServiceClient(conn)
}

// allocsPer runs f, after a warm-up, many times; AllocsPerRun itself rounds
// down to whole objects.
func allocsPer(f func()) float64 {
	const batch = 300
	return testing.AllocsPerRun(1, func() {
		for range batch {
			f()
		}
	}) / batch
}

func unaryAllocs(t *testing.T, client testgrpc.TestServiceClient) float64 {
	req := &testgrpc.SimpleRequest{}
	return allocsPer(func() {
		_, err := client.UnaryCall(t.Context(), req)
		assert.NoError(t, err)
	})
}

func streamAllocs(t *testing.T, client testgrpc.TestServiceClient) float64 {
	return allocsPer(func() {
		stream := openStream(t, client)
		pingPong(t, stream)
		closeStream(t, stream)
	})
}

func messageAllocs(t *testing.T, client testgrpc.TestServiceClient) float64 {
	stream := openStream(t, client)
	defer closeStream(t, stream)
	return allocsPer(func() { pingPong(t, stream) })
}

func openStream(t *testing.T, client testgrpc.TestServiceClient) testgrpc.TestService_FullDuplexCallClient {
	t.Helper()
	stream, err := client.FullDuplexCall(t.Context())
	assert.NoError(t, err)
	return stream
}

func pingPong(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
	t.Helper()
	assert.NoError(t, stream.Send(&testgrpc.StreamingOutputCallRequest{}))
	_, err := stream.Recv()
	assert.NoError(t, err)
}

func closeStream(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
	t.Helper()
	assert.NoError(t, stream.CloseSend())
	if msg, err := stream.Recv(); err == nil {
		t.Fatalf("the stream went on with %v, want its end", msg)
	}
}
