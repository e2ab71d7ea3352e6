package parity_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/internal/assert"
)

// What follows pins what the woven call path takes for granted of grpc-go. A
// failure after an upgrade means that the file named must be read again.

// bareServer serves with grpc-go alone and returns a client.
func bareServer(t *testing.T, register func(grpc.ServiceRegistrar), opts ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(opts...)
	register(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	assert.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		srv.Stop()
		assert.NoError(t, <-served)
	})
	return conn
}

// pinned is a service of two methods, described by hand.
func pinned(unary grpc.MethodHandler, stream grpc.StreamHandler) func(grpc.ServiceRegistrar) {
	return func(r grpc.ServiceRegistrar) {
		r.RegisterService(&grpc.ServiceDesc{
			ServiceName: "pinned.Service", HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
			Streams: []grpc.StreamDesc{{StreamName: "Stream", Handler: stream, ServerStreams: true, ClientStreams: true}},
		}, struct{}{})
	}
}

// A unary method's handler is outside the unary interceptors, which it is
// handed, and no stream interceptor runs: else calls would go through the path
// twice, or an interceptor not at all.
func TestGRPCHandsInterceptorToUnaryHandler(t *testing.T) {
	const broken = "grpc-go no longer hands the chain of unary interceptors to the handler of a MethodDesc; re-read call.go (unary) against wrapUnaryHandler and processRPC in grpc-go's server.go"
	var order []string
	handler := func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		order = append(order, "handler")
		if interceptor == nil {
			return nil, errors.New("no interceptor")
		}
		in := new(testgrpc.Empty)
		if err := decode(in); err != nil {
			return nil, err
		}
		order = append(order, "decoded")
		return interceptor(ctx, in, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return in, nil })
	}
	note := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			order = append(order, name)
			return next(ctx, req)
		}
	}
	conn := bareServer(t, pinned(handler, nil), grpc.ChainUnaryInterceptor(note("second"), note("third")), grpc.UnaryInterceptor(note("first")),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			order = append(order, "stream interceptor")
			return next(srv, ss)
		}))
	assert.NoError(t, conn.Invoke(t.Context(), "/pinned.Service/Unary", &testgrpc.Empty{}, &testgrpc.Empty{}), broken)
	assert.Equal(t, order, []string{"handler", "decoded", "first", "second", "third"}, broken)
}

// The interceptor given by StreamInterceptor is outside those of
// ChainStreamInterceptor, whatever the order of the options, and has the calls
// of unknown methods too, but not those whose name has no slash.
func TestGRPCStreamInterceptorIsOutermost(t *testing.T) {
	const broken = "the guard is no longer outside every stream interceptor and around the handler of unknown methods; re-read call_stream.go (guard) and unknown.go against chainStreamServerInterceptors, handleStream and processRPC in grpc-go's server.go"
	var order []string
	note := func(name string) grpc.StreamServerInterceptor {
		return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			order = append(order, name+" "+info.FullMethod)
			return next(srv, ss)
		}
	}
	done := func(any, grpc.ServerStream) error { order = append(order, "handler"); return nil }
	conn := bareServer(t, pinned(nil, done), grpc.ChainStreamInterceptor(note("inner")), grpc.StreamInterceptor(note("outer")),
		grpc.UnknownServiceHandler(func(_ any, ss grpc.ServerStream) error {
			name, ok := grpc.Method(ss.Context())
			assert.True(t, ok, broken)
			order = append(order, "unknown "+name)
			return nil
		}))
	call := func(name string) error {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, name)
		assert.NoError(t, err)
		assert.NoError(t, stream.CloseSend())
		return drain(emptyStream{stream}, nil)
	}
	for _, test := range []struct {
		method string
		want   []string
	}{
		{"/pinned.Service/Stream", []string{"outer /pinned.Service/Stream", "inner /pinned.Service/Stream", "handler"}},
		{"/nope.Service/Nope", []string{"outer /nope.Service/Nope", "inner /nope.Service/Nope", "unknown /nope.Service/Nope"}},
		{"/a/b/C", []string{"outer /a/b/C", "inner /a/b/C", "unknown /a/b/C"}},
		{"/noslash", nil},
	} {
		order = nil
		err := call(test.method)
		assert.Equal(t, err == nil, test.want != nil, broken)
		assert.True(t, slices.Equal(order, test.want), broken)
	}
}

type emptyStream struct{ grpc.ClientStream }

func (s emptyStream) Recv() (*testgrpc.StreamingOutputCallResponse, error) {
	out := new(testgrpc.StreamingOutputCallResponse)
	return out, s.RecvMsg(out)
}

// The context of a handler has what telemetry reads from it: the addresses, the
// method's name, and metadata under lower-case keys.
func TestGRPCContextOfHandlers(t *testing.T) {
	const broken = "the context of a handler no longer has what telemetry reads; re-read telemetry_call.go (describe) and telemetry_carrier.go against operateHeaders in grpc-go's internal/transport/http2_server.go and grpc-go's metadata package"
	seen := 0
	look := func(ctx context.Context, method string) {
		seen++
		p, ok := peer.FromContext(ctx)
		assert.True(t, ok && p.LocalAddr != nil && p.Addr != nil, broken)
		name, ok := grpc.Method(ctx)
		assert.True(t, ok, broken)
		assert.Equal(t, name, method, broken)
		assert.Equal(t, metadata.ValueFromIncomingContext(ctx, "x-key"), []string{"one", "two"}, broken)
	}
	conn := bareServer(t, pinned(
		func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			look(ctx, "/pinned.Service/Unary")
			in := new(testgrpc.Empty)
			return in, decode(in)
		},
		func(_ any, ss grpc.ServerStream) error { look(ss.Context(), "/pinned.Service/Stream"); return nil },
	))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "X-Key", "one", "x-key", "two")
	assert.NoError(t, conn.Invoke(ctx, "/pinned.Service/Unary", &testgrpc.Empty{}, &testgrpc.Empty{}))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/pinned.Service/Stream")
	assert.NoError(t, err)
	assert.NoError(t, drain(emptyStream{stream}, nil))
	assert.Equal(t, seen, 2)
}
