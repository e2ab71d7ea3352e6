package examples_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// within is a context that ends when the test has taken too long.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// dial connects once the server is up; until then calls wait.
func dial(t *testing.T, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: limit,
		}))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// mutual are the credentials of a client of the certificates.
func mutual(certs *devcert.Authority) credentials.TransportCredentials {
	return credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
}

// dialMutual connects with the example's own certificates.
func (e *example) dialMutual(t *testing.T) *grpc.ClientConn {
	t.Helper()
	return dial(t, e.addr, mutual(e.certs(t)))
}

func dialPlain(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	return dial(t, addr, insecure.NewCredentials())
}

// hello is the greeting of Ada.
func hello(t *testing.T, conn *grpc.ClientConn) string {
	t.Helper()
	reply, err := greet.NewGreeterClient(conn).Greet(within(t), &greet.GreetRequest{Name: "Ada"})
	assert.NoError(t, err)
	return reply.GetGreeting()
}

// watch follows the health of a service. The function that it returns waits for
// a status.
func watch(t *testing.T, conn *grpc.ClientConn, service string) (until func(healthpb.HealthCheckResponse_ServingStatus)) {
	t.Helper()
	stream, err := healthpb.NewHealthClient(conn).Watch(within(t), &healthpb.HealthCheckRequest{Service: service})
	assert.NoError(t, err)
	return func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for {
			now, err := stream.Recv()
			assert.NoError(t, err, "waiting for", want.String())
			if now.GetStatus() == want {
				return
			}
		}
	}
}

var web = &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}

// get returns the status and body of a page; 0 when nobody answers.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := web.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	return resp.StatusCode, string(text)
}
