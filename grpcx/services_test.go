package grpcx_test

import (
	"context"
	"reflect"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// reflect1 asks one question of the reflection service.
func reflect1(t *testing.T, conn *grpc.ClientConn, req *reflectionpb.ServerReflectionRequest) (*reflectionpb.ServerReflectionResponse, error) {
	t.Helper()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	assert.NoError(t, err)
	if err := stream.Send(req); err != nil {
		t.Logf("send: %v", err) // Recv has the reason
	}
	reply, err := stream.Recv()
	if err == nil {
		assert.NoError(t, stream.CloseSend())
		_, _ = stream.Recv()
	}
	return reply, err
}

var listServices = &reflectionpb.ServerReflectionRequest{
	MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{ListServices: "*"},
}

func TestReflectionIsOffByDefault(t *testing.T) {
	srv := grpcxtest.New(t, withService(&service{}))
	_, err := reflect1(t, srv.Conn, listServices)
	wantCode(t, err, codes.Unimplemented)
	err = srv.Conn.Invoke(t.Context(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &testgrpc.Empty{}, &testgrpc.Empty{})
	wantCode(t, err, codes.Unimplemented)
}

func TestReflection(t *testing.T) {
	srv := grpcxtest.New(t, withService(&service{}), grpcx.WithReflection())
	reply, err := reflect1(t, srv.Conn, listServices)
	assert.NoError(t, err)
	var names []string
	for _, s := range reply.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	assert.Equal(t, names, []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
		"grpc.reflection.v1alpha.ServerReflection", "grpc.testing.TestService"})

	reply, err = reflect1(t, srv.Conn, &reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "grpc.testing.TestService"}})
	assert.NoError(t, err)
	assert.True(t, len(reply.GetFileDescriptorResponse().GetFileDescriptorProto()) > 0, "file descriptors")
}

// whoCalls is a service that notes what the handlers learn of their caller.
func whoCalls(note func(context.Context)) *service {
	return &service{
		unary: func(ctx context.Context) error { note(ctx); return nil },
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
			note(s.Context())
			return nil
		},
	}
}

// callBoth makes a unary and a streaming call.
func callBoth(t *testing.T, c testgrpc.TestServiceClient) {
	t.Helper()
	_, err := c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
	assert.NoError(t, err)
	stream, err := c.FullDuplexCall(t.Context())
	assert.NoError(t, err)
	_, err = stream.Recv()
	assert.NoError(t, noEOF(err))
}

func TestPeerIdentity(t *testing.T) {
	type who struct {
		id tlsx.Identity
		ok bool
	}
	var seen []who
	svc := whoCalls(func(ctx context.Context) {
		id, ok := grpcx.PeerIdentity(ctx)
		seen = append(seen, who{id, ok})
	})
	callBoth(t, client(grpcxtest.NewMTLS(t, withService(svc))))
	assert.Equal(t, len(seen), 2)
	for _, w := range seen {
		assert.True(t, w.ok)
		assert.Equal(t, w.id.DNSNames(), []string{"client.localhost"})
		assert.Equal(t, len(w.id.Chain()), 2)
	}

	seen = nil
	callBoth(t, client(grpcxtest.New(t, withService(svc))))
	assert.Equal(t, len(seen), 2)
	for _, w := range seen {
		assert.True(t, !w.ok && w.id.IsZero(), "nobody over plaintext")
	}

	_, ok := grpcx.PeerIdentity(t.Context())
	assert.True(t, !ok, "nobody outside a call")
}

// Authorisation code asserts credentials.TLSInfo by value.
func TestAuthInfo(t *testing.T) {
	var infos []credentials.AuthInfo
	svc := whoCalls(func(ctx context.Context) {
		p, _ := peer.FromContext(ctx)
		infos = append(infos, p.AuthInfo)
	})
	callBoth(t, client(grpcxtest.NewMTLS(t, withService(svc))))
	assert.Equal(t, len(infos), 2)
	for _, info := range infos {
		assert.Equal(t, reflect.TypeOf(info), reflect.TypeFor[credentials.TLSInfo]())
		tlsInfo, _ := info.(credentials.TLSInfo)
		assert.True(t, tlsInfo.State.HandshakeComplete)
		assert.Equal(t, tlsInfo.State.NegotiatedProtocol, "h2")
		assert.Equal(t, len(tlsInfo.State.VerifiedChains), 1)
		assert.Equal(t, tlsInfo.SecurityLevel, credentials.PrivacyAndIntegrity)
		assert.Equal(t, tlsInfo.AuthType(), "tls")
	}
}
