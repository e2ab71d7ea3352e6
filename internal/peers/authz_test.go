package peers

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/authz"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

const policy = `{
	"name": "spiffe",
	"deny_rules": [{"name": "intruder", "source": {"principals": ["spiffe://example.org/intruder"]}}],
	"allow_rules": [{"name": "all"}]
}`

// A rule of grpc/authz that denies a SPIFFE ID denies: it finds the identity,
// because the AuthInfo is exactly a credentials.TLSInfo.
func TestAuthzDenies(t *testing.T) {
	interceptor, err := authz.NewStatic(policy)
	assert.NoError(t, err)
	ca := certtest.NewCA(t, "all")
	snapshot, err := tlsx.NewSnapshot(tlsx.Material{
		Certificate: ca.Issue(t, certtest.Template{}).TLS(), ClientCAs: []*x509.Certificate{ca.Cert}})
	assert.NoError(t, err)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	grpcxtest.New(t, grpcx.WithTLS(tlsx.Static(snapshot)), grpcx.WithListener(lis),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)),
		grpcx.WithUnaryInterceptor(interceptor.UnaryInterceptor),
		grpcx.WithStreamInterceptor(interceptor.StreamInterceptor),
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(r, echo{}) }))

	for id, want := range map[string]codes.Code{
		"spiffe://example.org/web":      codes.OK,
		"spiffe://example.org/intruder": codes.PermissionDenied,
	} {
		leaf := ca.Issue(t, certtest.Template{URIs: []string{id}})
		conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{leaf.TLS()}})))
		assert.NoError(t, err)
		defer func() { _ = conn.Close() }()
		client := testgrpc.NewTestServiceClient(conn)
		_, err = client.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
		assert.Equal(t, status.Code(err), want, id)
		stream, err := client.FullDuplexCall(t.Context())
		assert.NoError(t, err)
		assert.NoError(t, stream.CloseSend())
		_, err = stream.Recv()
		if want == codes.OK {
			assert.Equal(t, err.Error(), "EOF", id)
		} else {
			assert.Equal(t, status.Code(err), want, id)
		}
	}
}
