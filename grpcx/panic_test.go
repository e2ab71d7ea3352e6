package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

const secret = "password=hunter2"

// callAll makes one call of each kind and returns their errors.
func callAll(ctx context.Context, c testgrpc.TestServiceClient) map[string]error {
	errs := map[string]error{}
	_, errs["unary"] = c.UnaryCall(ctx, &testgrpc.SimpleRequest{})

	in, err := c.StreamingInputCall(ctx)
	if err == nil {
		_ = in.Send(&testgrpc.StreamingInputCallRequest{})
		_ = in.Send(&testgrpc.StreamingInputCallRequest{})
		_, err = in.CloseAndRecv()
	}
	errs["input"] = err

	out, err := c.StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{})
	for err == nil {
		_, err = out.Recv()
	}
	errs["output"] = noEOF(err)

	both, err := c.FullDuplexCall(ctx)
	if err == nil {
		_ = both.Send(&testgrpc.StreamingOutputCallRequest{})
		_ = both.CloseSend()
	}
	for err == nil {
		_, err = both.Recv()
	}
	errs["duplex"] = noEOF(err)
	return errs
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// crasher panics at a point of each handler.
func crasher(point string, crash func()) *service {
	at := func(p string) {
		if p == point {
			crash()
		}
	}
	return &service{
		unary: func(context.Context) error { at("first"); at("before"); at("after"); return nil },
		input: func(s testgrpc.TestService_StreamingInputCallServer) error {
			at("before")
			_, err := s.Recv()
			at("first")
			if err != nil {
				return err
			}
			_, err = s.Recv()
			at("after")
			return err
		},
		output: func(s testgrpc.TestService_StreamingOutputCallServer) error {
			at("before")
			at("first")
			err := s.Send(&testgrpc.StreamingOutputCallResponse{})
			at("after")
			return err
		},
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
			at("before")
			_, err := s.Recv()
			at("first")
			if err != nil {
				return err
			}
			err = s.Send(&testgrpc.StreamingOutputCallResponse{})
			at("after")
			return err
		},
	}
}

func TestPanicInHandler(t *testing.T) {
	for _, point := range []string{"before", "first", "after"} {
		for name, crash := range map[string]func(){
			"panic":  func() { panic(secret) },
			"nil":    func() { panic(error(nil)) },
			"Goexit": runtime.Goexit,
		} {
			t.Run(point+"/"+name, func(t *testing.T) {
				var logs logBuffer
				srv := grpcxtest.New(t, withService(crasher(point, crash)), logs.option())
				checkCrash(t, srv, &logs, name == "panic")
			})
		}
	}
}

func TestPanicInInterceptor(t *testing.T) {
	crash := func() { panic(secret) }
	unary := func(_ context.Context, _ any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		crashUnlessEmpty(info.FullMethod, crash)
		return &testgrpc.Empty{}, nil
	}
	unaryAfter := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		reply, err := h(ctx, req)
		crashUnlessEmpty(info.FullMethod, crash)
		return reply, err
	}
	stream := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { crash(); return nil }
	streamAfter := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		_ = h(srv, ss)
		crash()
		return nil
	}
	streamInside := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		return h(srv, &crashingStream{ss, crash})
	}
	for name, opts := range map[string]grpcx.Option{
		"option before":  grpcx.Options(grpcx.WithUnaryInterceptor(unary), grpcx.WithStreamInterceptor(stream)),
		"option after":   grpcx.Options(grpcx.WithUnaryInterceptor(unaryAfter), grpcx.WithStreamInterceptor(streamAfter)),
		"option message": grpcx.Options(grpcx.WithUnaryInterceptor(unary), grpcx.WithStreamInterceptor(streamInside)),
		"opaque before":  grpcx.WithServerOptions(grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)),
		"opaque after":   grpcx.WithServerOptions(grpc.ChainUnaryInterceptor(unaryAfter), grpc.ChainStreamInterceptor(streamAfter)),
		"opaque single":  grpcx.WithServerOptions(grpc.UnaryInterceptor(unary), grpc.ChainStreamInterceptor(streamInside)),
	} {
		t.Run(name, func(t *testing.T) {
			var logs logBuffer
			srv := grpcxtest.New(t, withService(&service{}), opts, logs.option())
			checkCrash(t, srv, &logs, true)
		})
	}
}

// crashUnlessEmpty leaves EmptyCall alone: the test asks it whether the server
// lives.
func crashUnlessEmpty(method string, crash func()) {
	if method != testgrpc.TestService_EmptyCall_FullMethodName {
		crash()
	}
}

type crashingStream struct {
	grpc.ServerStream
	crash func()
}

func (s *crashingStream) RecvMsg(any) error { s.crash(); return nil }
func (s *crashingStream) SendMsg(any) error { s.crash(); return nil }

// checkCrash calls every kind of method and expects Internal without the
// panic's text, the stack in the log, and a server that goes on.
func checkCrash(t *testing.T, srv *grpcxtest.Server, logs *logBuffer, panics bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for kind, err := range callAll(ctx, client(srv)) {
		if status.Code(err) != codes.Internal {
			t.Errorf("%s: got %v, want Internal", kind, err)
			continue
		}
		assert.NotContains(t, err.Error(), "hunter2", "goroutine")
	}
	assert.Equal(t, len(logs.lines("stack=")), 4, "stacks in the log")
	if panics {
		assert.Equal(t, len(logs.lines(secret)), 4, "panic values in the log")
	}
	assert.Contains(t, logs.String(), "goroutine", "rpc.response.status_code=INTERNAL")
	_, err := client(srv).EmptyCall(ctx, &testgrpc.Empty{})
	assert.NoError(t, err)
}

// A panic in one call leaves the others alone.
func TestPanicLeavesOtherCalls(t *testing.T) {
	release := make(chan struct{})
	srv := grpcxtest.New(t, withService(&service{
		unary: func(context.Context) error { panic("boom") },
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
			<-release
			return s.Send(&testgrpc.StreamingOutputCallResponse{})
		},
	}))
	stream, err := client(srv).FullDuplexCall(t.Context())
	assert.NoError(t, err)
	for range 10 {
		_, err := client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.Internal)
	}
	close(release)
	_, err = stream.Recv()
	assert.NoError(t, err)
}

// Interceptors that refuse every call must be heard, given either way.
func TestDenyAll(t *testing.T) {
	unary := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	stream := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
		return status.Error(codes.PermissionDenied, "no")
	}
	for name, opts := range map[string]grpcx.Option{
		"option": grpcx.Options(grpcx.WithUnaryInterceptor(unary), grpcx.WithStreamInterceptor(stream)),
		"opaque": grpcx.WithServerOptions(grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)),
		"single": grpcx.WithServerOptions(grpc.UnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			reached := func() error { t.Error("a denied call reached its handler"); return nil }
			srv := grpcxtest.New(t, opts, withService(&service{
				unary:  func(context.Context) error { return reached() },
				input:  func(testgrpc.TestService_StreamingInputCallServer) error { return reached() },
				output: func(testgrpc.TestService_StreamingOutputCallServer) error { return reached() },
				duplex: func(testgrpc.TestService_FullDuplexCallServer) error { return reached() },
			}))
			for kind, err := range callAll(t.Context(), client(srv)) {
				if status.Code(err) != codes.PermissionDenied {
					t.Errorf("%s: got %v, want PermissionDenied", kind, err)
				}
			}
			err := srv.Conn.Invoke(t.Context(), "/grpc.health.v1.Health/Check", &testgrpc.Empty{}, &testgrpc.Empty{})
			wantCode(t, err, codes.PermissionDenied)
			err = srv.Conn.Invoke(t.Context(), "/no.Such/Method", &testgrpc.Empty{}, &testgrpc.Empty{})
			wantCode(t, err, codes.PermissionDenied)
		})
	}
}

// Without(Recovery) is bare grpc-go; its panic would end this process, so only
// the setting is checked here, and the crash in a child process elsewhere.
func TestErrorMapping(t *testing.T) {
	var logs logBuffer
	var result error
	srv := grpcxtest.New(t, logs.option(), withService(&service{unary: func(context.Context) error { return result }}))
	for _, test := range []struct {
		name    string
		err     error
		code    codes.Code
		message string // what the client may see; empty is anything opaque
	}{
		{"status", status.Error(codes.NotFound, "no such user"), codes.NotFound, "no such user"},
		{"wrapped status", fmt.Errorf("lookup: %w", status.Error(codes.NotFound, "no such user")), codes.NotFound, "lookup: rpc error: code = NotFound desc = no such user"},
		{"cancelled", fmt.Errorf("get http://10.0.0.7: %w", context.Canceled), codes.Canceled, "context canceled"},
		{"deadline", fmt.Errorf("get http://10.0.0.7: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "context deadline exceeded"},
		{"plain", fmt.Errorf("dial 10.0.0.7: %s", secret), codes.Unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			result = test.err
			_, err := client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
			wantCode(t, err, test.code)
			got := status.Convert(err).Message()
			if test.message != "" {
				assert.Equal(t, got, test.message)
				return
			}
			var id string
			_, scanErr := fmt.Sscanf(got, "unknown error, id %16s", &id)
			assert.NoError(t, scanErr)
			lines := logs.lines("error.id=" + id)
			assert.Equal(t, len(lines), 1)
			assert.Contains(t, lines[0], secret, "rpc.method=grpc.testing.TestService/UnaryCall")
		})
	}
}
