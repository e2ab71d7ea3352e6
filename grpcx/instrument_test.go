package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// instrumented serves svc on a plain grpc.Server through Instrument.
func instrumented(t *testing.T, svc *service, server []grpc.ServerOption, opts ...grpcx.Option) testgrpc.TestServiceClient {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	plain := grpc.NewServer(server...)
	reg, err := grpcx.Instrument(plain, opts...)
	assert.NoError(t, err)
	testgrpc.RegisterTestServiceServer(reg, svc)
	served := background(func() { _ = plain.Serve(lis) })
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	assert.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		plain.Stop()
		<-served
	})
	return testgrpc.NewTestServiceClient(conn)
}

func TestInstrumentRecovers(t *testing.T) {
	for name, crash := range map[string]func(){
		"panic":  func() { panic(secret) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			var logs logBuffer
			c := instrumented(t, crasher("first", crash), nil, logs.option())
			ctx, cancel := context.WithTimeout(t.Context(), childLimit)
			defer cancel()
			for kind, err := range callAll(ctx, c) {
				if status.Code(err) != codes.Internal {
					t.Errorf("%s: got %v, want Internal", kind, err)
					continue
				}
				assert.NotContains(t, err.Error(), "hunter2", "goroutine")
			}
			assert.Equal(t, len(logs.lines("stack=")), 4, "stacks in the log")
			_, err := c.EmptyCall(ctx, &testgrpc.Empty{})
			assert.NoError(t, err)
		})
	}
}

// A unary interceptor of the plain server is within what is recovered.
func TestInstrumentRunsInterceptors(t *testing.T) {
	deny := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	c := instrumented(t, &service{unary: func(context.Context) error { t.Error("reached"); return nil }},
		[]grpc.ServerOption{grpc.UnaryInterceptor(deny)})
	_, err := c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.PermissionDenied)

	crash := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { panic(secret) }
	c = instrumented(t, &service{}, []grpc.ServerOption{grpc.UnaryInterceptor(crash)}, new(logBuffer).option())
	_, err = c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.Internal)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestInstrumentMapsErrors(t *testing.T) {
	var logs logBuffer
	var result error
	c := instrumented(t, &service{
		unary:  func(context.Context) error { return result },
		duplex: func(testgrpc.TestService_FullDuplexCallServer) error { return result },
	}, nil, logs.option())
	for _, test := range []struct {
		name string
		err  error
		code codes.Code
	}{
		{"status", status.Error(codes.NotFound, "no such user"), codes.NotFound},
		{"deadline", fmt.Errorf("get http://10.0.0.7: %w", context.DeadlineExceeded), codes.DeadlineExceeded},
		{"plain", errors.New("dial 10.0.0.7: " + secret), codes.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			result = test.err
			_, unary := c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
			stream, err := c.FullDuplexCall(t.Context())
			assert.NoError(t, err)
			_, streaming := stream.Recv()
			for _, err := range []error{unary, streaming} {
				wantCode(t, err, test.code)
				assert.NotContains(t, err.Error(), "10.0.0.7", secret)
			}
		})
	}
	assert.Equal(t, len(logs.lines(secret)), 2, "the log has what the clients have not")
}

// Policies hold on a plain server too, whatever the handler does.
func TestInstrumentAppliesPolicies(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c := instrumented(t, &service{unary: func(context.Context) error { <-release; return nil }}, nil,
		new(logBuffer).option(), grpcx.WithMethods(matchAll, grpcx.Policy{Timeout: 20 * time.Millisecond}))
	_, err := c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.DeadlineExceeded)
	assert.ErrorContains(t, err, "the server allows 20ms")
}

func TestInstrumentRefusesServerOptions(t *testing.T) {
	certs, err := devcert.New()
	assert.NoError(t, err)
	unary := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	stream := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		return next(srv, ss)
	}
	const chain = "WithUnaryInterceptor, WithStreamInterceptor or WithServerOptions"
	for _, test := range []struct {
		opt  grpcx.Option
		want string
	}{
		{grpcx.WithAddr(":0"), "WithAddr"},
		{grpcx.WithListener(bufconn.Listen(1)), "WithListener"},
		{grpcx.WithProbeAddr(":0"), "WithProbeAddr"},
		{grpcx.WithProbeTLS(), "WithProbeTLS"},
		{grpcx.WithAdminAddr(":0"), "WithAdminAddr"},
		{grpcx.WithInsecure(), "WithInsecure"},
		{grpcx.WithTLS(certs.ServerSource()), "WithTLS"},
		{grpcx.WithTLSFiles(tlsx.Files{}), "WithTLSFiles"},
		{grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: 1 << 20}), "WithLimits"},
		{grpcx.WithKeepalive(grpcx.Keepalive{Time: time.Minute}), "WithKeepalive"},
		{grpcx.WithDrain(grpcx.Drain{Delay: -1}), "WithDrain"},
		{grpcx.WithCheck("db", ok), "WithCheck"},
		{grpcx.WithUnaryInterceptor(unary), chain},
		{grpcx.WithStreamInterceptor(stream), chain},
		{grpcx.WithServerOptions(grpc.WriteBufferSize(1)), chain},
		{grpcx.WithUnknownHandler(func(any, grpc.ServerStream) error { return nil }), "WithUnknownHandler"},
		{grpcx.WithReflection(), "WithReflection"},
		{grpcx.WithStreamWorkers(3), "WithStreamWorkers"},
		{grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { return nil }), "WithSetup"},
		{nil, "Option"},
	} {
		t.Run(test.want, func(t *testing.T) {
			reg, err := grpcx.Instrument(grpc.NewServer(), test.opt)
			assert.Equal(t, optionErrors(err), []string{test.want})
			assert.True(t, reg == nil, "no registrar")
		})
	}

	_, err = grpcx.Instrument(grpc.NewServer(), grpcx.WithReflection(), grpcx.WithAddr(":0"))
	assert.Equal(t, optionErrors(err), []string{"WithAddr", "WithReflection"})
	_, err = grpcx.Instrument(nil)
	assert.Equal(t, optionErrors(err), []string{"Instrument"})
	var none *grpc.Server
	_, err = grpcx.Instrument(none)
	assert.Equal(t, optionErrors(err), []string{"Instrument"})
	_, err = grpcx.Instrument(grpc.NewServer(), grpcx.Options(
		grpcx.WithLimits(grpcx.Limits{FirstMessageTimeout: time.Second}),
		grpcx.WithMethods(matchAll, grpcx.Policy{Log: grpcx.LogAll}), grpcx.Without(grpcx.AccessLog)))
	assert.NoError(t, err)
}
