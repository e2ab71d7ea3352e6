package tlsx_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// who records the identity that each call came from.
func who(out *tlsx.Identity) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		p, _ := peer.FromContext(ctx)
		*out, _ = tlsx.PeerIdentity(p.AuthInfo.(credentials.TLSInfo).State)
		return next(ctx, req)
	}
}

func TestGRPC(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	server := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)

	var id tlsx.Identity
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(tlsx.ServerConfig(tlsx.Static(server)))), grpc.UnaryInterceptor(who(&id)))
	healthpb.RegisterHealthServer(srv, health.NewServer())
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	defer func() { srv.Stop(); <-done }()

	call := func(t *testing.T, client *tlsx.Snapshot, version uint16, name string) error {
		cfg := tlsx.ClientConfig(tlsx.Static(client), tlsx.ServerName(name))
		cfg.MinVersion, cfg.MaxVersion = version, version
		conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
		assert.NoError(t, err)
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	}
	spiffe := certtest.Client
	spiffe.URIs = []string{"spiffe://example.test/client"}
	for version, v := range versions {
		t.Run(version, func(t *testing.T) {
			good := clientSnapshot(t, ca.Issue(t, spiffe), ca)
			assert.NoError(t, call(t, good, v, "localhost"))
			assert.Equal(t, id.SPIFFEID(), "spiffe://example.test/client")
			assert.Equal(t, codeOf(call(t, good, v, "example.test")), codes.Unavailable)
			assert.Equal(t, codeOf(call(t, clientSnapshot(t, other.Issue(t, certtest.Client), ca), v, "localhost")), codes.Unavailable)
			assert.Equal(t, codeOf(call(t, clientSnapshot(t, ca.Issue(t, certtest.Client), other), v, "localhost")), codes.Unavailable)
		})
	}
}

func codeOf(err error) codes.Code { return status.Code(err) }
