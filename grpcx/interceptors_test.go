package grpcx_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/ratelimit"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/validator"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// bothWays runs a test with interceptors given by our options and inside
// WithServerOptions.
func bothWays(t *testing.T, unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor, test func(t *testing.T, opt grpcx.Option)) {
	t.Helper()
	t.Run("option", func(t *testing.T) {
		test(t, grpcx.Options(grpcx.WithUnaryInterceptor(unary), grpcx.WithStreamInterceptor(stream)))
	})
	t.Run("opaque", func(t *testing.T) {
		test(t, grpcx.WithServerOptions(grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)))
	})
}

// wantAll makes one call of each kind and wants the same code of all.
func wantAll(ctx context.Context, t *testing.T, srv *grpcxtest.Server, code codes.Code) {
	t.Helper()
	for kind, err := range callAll(ctx, client(srv)) {
		if status.Code(err) != code {
			t.Errorf("%s: got %v, want %v", kind, err, code)
		}
	}
}

type userKey struct{}

// checkToken is an auth function that puts the user into the context.
func checkToken(ctx context.Context) (context.Context, error) {
	token, err := auth.AuthFromMD(ctx, "bearer")
	if err != nil {
		return nil, err
	}
	if token != "open sesame" {
		return nil, status.Error(codes.Unauthenticated, "wrong token")
	}
	return context.WithValue(ctx, userKey{}, "ali"), nil
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "bearer "+token)
}

// userService refuses callers that the auth interceptor did not name; its
// handlers still find their grpcx call in the context that auth derived.
func userService() *service {
	known := func(ctx context.Context) error {
		if ctx.Value(userKey{}) != "ali" {
			return status.Error(codes.Internal, "the handler does not see the context of the interceptor")
		}
		if grpcx.Draining(ctx) == nil {
			return status.Error(codes.Internal, "the handler does not see its call")
		}
		return nil
	}
	return &service{
		unary:  known,
		output: func(s testgrpc.TestService_StreamingOutputCallServer) error { return known(s.Context()) },
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error { return known(s.Context()) },
		input: func(s testgrpc.TestService_StreamingInputCallServer) error {
			if err := known(s.Context()); err != nil {
				return err
			}
			return s.SendAndClose(&testgrpc.StreamingInputCallResponse{})
		},
	}
}

func TestMiddlewareAuth(t *testing.T) {
	bothWays(t, auth.UnaryServerInterceptor(checkToken), auth.StreamServerInterceptor(checkToken), func(t *testing.T, opt grpcx.Option) {
		srv := grpcxtest.New(t, withService(userService()), opt)
		wantAll(withToken(t.Context(), "open sesame"), t, srv, codes.OK)
		wantAll(withToken(t.Context(), "abracadabra"), t, srv, codes.Unauthenticated)
		wantAll(t.Context(), t, srv, codes.Unauthenticated)
	})
}

// ownAuth is a service with an auth function of its own: the interceptor must
// see the implementation, not what is woven around it.
type ownAuth struct{ *service }

func (ownAuth) AuthFuncOverride(context.Context, string) (context.Context, error) {
	return nil, status.Error(codes.PermissionDenied, "not here")
}

func TestMiddlewareAuthOverride(t *testing.T) {
	bothWays(t, auth.UnaryServerInterceptor(checkToken), auth.StreamServerInterceptor(checkToken), func(t *testing.T, opt grpcx.Option) {
		srv := grpcxtest.New(t, opt, grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			testgrpc.RegisterTestServiceServer(s, ownAuth{userService()})
			return nil
		}))
		wantAll(withToken(t.Context(), "open sesame"), t, srv, codes.PermissionDenied)
	})
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Limit(ctx context.Context) error { return f(ctx) }

func TestMiddlewareRatelimit(t *testing.T) {
	var full error
	limiter := limiterFunc(func(context.Context) error { return full })
	bothWays(t, ratelimit.UnaryServerInterceptor(limiter), ratelimit.StreamServerInterceptor(limiter), func(t *testing.T, opt grpcx.Option) {
		srv := grpcxtest.New(t, withService(&service{}), opt)
		full = nil
		wantAll(t.Context(), t, srv, codes.OK)
		full = errors.New("bucket is empty")
		wantAll(t.Context(), t, srv, codes.ResourceExhausted)
	})
}

// The selector decides by method, for unary calls and streams.
func TestMiddlewareSelector(t *testing.T) {
	guarded := selector.MatchFunc(func(_ context.Context, meta interceptors.CallMeta) bool {
		return meta.Service == "grpc.testing.TestService" && strings.HasSuffix(meta.Method, "Call") && meta.Method != "UnaryCall"
	})
	unary := selector.UnaryServerInterceptor(auth.UnaryServerInterceptor(checkToken), guarded)
	stream := selector.StreamServerInterceptor(auth.StreamServerInterceptor(checkToken), guarded)
	bothWays(t, unary, stream, func(t *testing.T, opt grpcx.Option) {
		srv := grpcxtest.New(t, withService(&service{}), opt)
		for kind, err := range callAll(t.Context(), client(srv)) {
			want := codes.Unauthenticated
			if kind == "unary" {
				want = codes.OK
			}
			if status.Code(err) != want {
				t.Errorf("%s: got %v, want %v", kind, err, want)
			}
		}
		wantAll(withToken(t.Context(), "open sesame"), t, srv, codes.OK)
		assert.Equal(t, probe(t.Context(), srv.Conn, ""), "SERVING")
	})
}

// checked is a request that validates itself, as generated ones do.
type checked struct{ *testgrpc.SimpleRequest }

func (c checked) Validate() error {
	if c.GetResponseSize() < 0 {
		return errors.New("response_size: must not be negative")
	}
	return nil
}

// checkedService has one method of each kind that takes a checked request,
// described by hand as generated code would.
var checkedService = &grpc.ServiceDesc{
	ServiceName: "checked.Service",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Unary",
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := checked{new(testgrpc.SimpleRequest)}
			if err := decode(in); err != nil {
				return nil, err
			}
			handler := func(context.Context, any) (any, error) { return &testgrpc.SimpleResponse{}, nil }
			if interceptor == nil {
				return handler(ctx, in)
			}
			return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/checked.Service/Unary"}, handler)
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName: "Stream", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(checked{new(testgrpc.SimpleRequest)}); err != nil {
				return err
			}
			return stream.SendMsg(&testgrpc.SimpleResponse{})
		},
	}},
}

func TestMiddlewareValidator(t *testing.T) {
	bothWays(t, validator.UnaryServerInterceptor(), validator.StreamServerInterceptor(), func(t *testing.T, opt grpcx.Option) {
		srv := grpcxtest.New(t, opt, grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			s.RegisterService(checkedService, struct{}{})
			return nil
		}))
		for size, want := range map[int32]codes.Code{1: codes.OK, -1: codes.InvalidArgument} {
			req := &testgrpc.SimpleRequest{ResponseSize: size}
			err := srv.Conn.Invoke(t.Context(), "/checked.Service/Unary", req, &testgrpc.SimpleResponse{})
			wantCode(t, err, want)
			stream, err := srv.Conn.NewStream(t.Context(), &checkedService.Streams[0], "/checked.Service/Stream")
			assert.NoError(t, err)
			assert.NoError(t, stream.SendMsg(req))
			err = stream.RecvMsg(&testgrpc.SimpleResponse{})
			wantCode(t, err, want)
			if want != codes.OK {
				assert.ErrorContains(t, err, "must not be negative")
			}
		}
	})
}

// All of them together, in the order given, around every kind of call.
func TestMiddlewareTogether(t *testing.T) {
	var full error
	limiter := limiterFunc(func(context.Context) error { return full })
	srv := grpcxtest.New(t, withService(userService()),
		grpcx.WithUnaryInterceptor(ratelimit.UnaryServerInterceptor(limiter), auth.UnaryServerInterceptor(checkToken)),
		grpcx.WithServerOptions(grpc.ChainUnaryInterceptor(validator.UnaryServerInterceptor())),
		grpcx.WithStreamInterceptor(ratelimit.StreamServerInterceptor(limiter), auth.StreamServerInterceptor(checkToken)),
		grpcx.WithServerOptions(grpc.ChainStreamInterceptor(validator.StreamServerInterceptor())))
	wantAll(withToken(t.Context(), "open sesame"), t, srv, codes.OK)
	wantAll(t.Context(), t, srv, codes.Unauthenticated)
	full = errors.New("bucket is empty")
	wantAll(t.Context(), t, srv, codes.ResourceExhausted) // the first in the chain answers
}
