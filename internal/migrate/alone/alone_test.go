package alone_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/internal/migrate/alone"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A server of grpc-go with every piece.
func TestPieces(t *testing.T) {
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	creds, err := alone.ServerTLS(t.Context(), certs.ServerFiles())
	assert.NoError(t, err)
	server := grpc.NewServer(grpc.Creds(creds))
	assert.NoError(t, alone.InstrumentServer(server, greeter.Server{}))
	failing := func(context.Context) error { return errors.New("no database") }
	health, err := alone.ServeHealth(t.Context(), server, failing)
	assert.NoError(t, err)

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(
		credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))))
	assert.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := greet.NewGreeterClient(conn)
	reply, err := client.Greet(ctx, &greet.GreetRequest{Name: "Ada"})
	assert.NoError(t, err)
	assert.Equal(t, reply.GetGreeting(), "Hello, Ada!")
	_, err = client.Greet(ctx, &greet.GreetRequest{Name: "mistake"})
	assert.Equal(t, status.Code(err), codes.Unknown)
	assert.NotContains(t, err.Error(), "password")
	answer, err := healthgrpc.NewHealthClient(conn).Check(ctx, &healthgrpc.HealthCheckRequest{Service: greet.Greeter_ServiceDesc.ServiceName})
	assert.NoError(t, err)
	assert.Equal(t, answer.GetStatus(), healthgrpc.HealthCheckResponse_NOT_SERVING)

	health.Drain()
	assert.NoError(t, conn.Close())
	server.GracefulStop()
	assert.NoError(t, <-served)
}

func TestHTTPClient(t *testing.T) {
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.VerifiedChains) > 0 {
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	server.TLS, server.EnableHTTP2 = tlsx.ServerConfig(certs.ServerSource()), true
	server.StartTLS()
	defer server.Close()
	client, err := alone.HTTPClient(t.Context(), certs.ClientFiles(), "localhost")
	assert.NoError(t, err)
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL)
	assert.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
	assert.Equal(t, resp.StatusCode, http.StatusAccepted)
}

func TestTuneRuntime(*testing.T) {
	undo := alone.TuneRuntime()
	undo()
}
