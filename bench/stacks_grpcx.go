package bench

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/bench/server"
	"github.com/grpcx-go/sdk/grpcx"
)

// grpcxStacks are a server with every default, and with each feature off in
// turn.
func grpcxStacks() []server.Stack {
	list := []server.Stack{
		{Name: GRPCX, Serve: serveGRPCX(server.Sampling)},
		{Name: grpcxWithout + "providers", Serve: serveGRPCX(noProviders)},
		{Name: GRPCX + " 0 % sampled", Serve: serveGRPCX(0)},
		{Name: GRPCX + " 100 % sampled", Serve: serveGRPCX(1)},
		{Name: GRPCX + " + message metrics", Serve: serveGRPCX(server.Sampling, grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}))},
		{Name: GRPCX + " 1000 methods", Serve: serveGRPCX(server.Sampling, grpcx.WithSetup(registerMany))},
	}
	for _, f := range []struct {
		name   string
		option grpcx.Option
	}{
		{"stream workers", grpcx.WithStreamWorkers(-1)},
		{"tracing", grpcx.Without(grpcx.Tracing)},
		{"metrics", grpcx.Without(grpcx.Metrics)},
		{"recovery", grpcx.Without(grpcx.Recovery)},
		{"access log", grpcx.Without(grpcx.AccessLog)},
		{"health", grpcx.Without(grpcx.Health)},
		{"first-message timeout", grpcx.WithLimits(grpcx.Limits{FirstMessageTimeout: -1})},
	} {
		list = append(list, server.Stack{Name: grpcxWithout + f.name, Serve: serveGRPCX(server.Sampling, f.option)})
	}
	return list
}

// noProviders leaves OpenTelemetry as it is without an SDK.
const noProviders = -1

// registerMany adds a service of a thousand methods that nobody calls.
func registerMany(_ context.Context, setup *grpcx.Setup) error {
	desc := &grpc.ServiceDesc{ServiceName: "bench.Many", HandlerType: (*any)(nil)}
	for i := range 1000 {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: fmt.Sprintf("Method%04d", i),
			Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
				return nil, status.Error(codes.Unimplemented, "nobody calls this")
			},
		})
	}
	setup.RegisterService(desc, struct{}{})
	return nil
}

// serveGRPCX is what New gives with the providers of an OpenTelemetry SDK.
// Serve, unlike Run, leaves the Go runtime as it is for the other stacks.
func serveGRPCX(sampling float64, opts ...grpcx.Option) func(*server.Env) error {
	return func(env *server.Env) error {
		if sampling != noProviders {
			server.SetTelemetry(sampling)
		}
		transport := grpcx.WithInsecure()
		if env.TLS != nil {
			transport = grpcx.WithTLSFiles(env.Files)
		}
		srv, err := grpcx.New(transport, grpcx.WithListener(env.Listener()), grpcx.WithLogger(env.Log), grpcx.Options(opts...))
		if err != nil {
			return err
		}
		server.Register(srv)
		return srv.Serve(context.Background())
	}
}
