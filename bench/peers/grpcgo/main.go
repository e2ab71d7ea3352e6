// Command grpcgo serves with grpc-go and what others add to it by options.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	experimental "google.golang.org/grpc/experimental/opentelemetry"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats/opentelemetry"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/bench/server"
)

func main() {
	server.Main(
		server.Stack{Name: "otelgrpc 0 % sampled", Serve: otelgrpcSampling(0)},
		server.Stack{Name: "otelgrpc 1 % sampled", Serve: otelgrpcSampling(server.Sampling)},
		server.Stack{Name: "otelgrpc 100 % sampled", Serve: otelgrpcSampling(1)},
		server.Stack{Name: "grpc opentelemetry", Serve: grpcPlugin},
		server.Stack{Name: "by hand", Serve: byHand},
	)
}

func serve(env *server.Env, opts ...grpc.ServerOption) error {
	srv := grpc.NewServer(env.Options(opts...)...)
	server.Register(srv)
	healthgrpc.RegisterHealthServer(srv, health.NewServer())
	return srv.Serve(env.Listener())
}

// otelgrpcSampling is otelgrpc and nothing else.
func otelgrpcSampling(ratio float64) func(*server.Env) error {
	return func(env *server.Env) error {
		server.SetTelemetry(ratio)
		return serve(env, grpc.StatsHandler(otelgrpc.NewServerHandler()))
	}
}

// grpcPlugin is grpc-go's own instrumentation, with its default metrics.
func grpcPlugin(env *server.Env) error {
	t := server.SetTelemetry(server.Sampling)
	return serve(env, opentelemetry.ServerOption(opentelemetry.Options{
		MetricsOptions: opentelemetry.MetricsOptions{MeterProvider: t.Meter},
		TraceOptions:   experimental.TraceOptions{TracerProvider: t.Tracer, TextMapPropagator: t.Propagator},
	}))
}

// byHand has the features of grpcx from otelgrpc, go-grpc-middleware and
// grpc-go, with the limits of docs/defaults.md.
func byHand(env *server.Env) error {
	server.SetTelemetry(server.Sampling)
	logger := logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		env.Log.Log(ctx, slog.Level(level), msg, fields...)
	})
	finished := logging.WithLogOnEvents(logging.FinishCall)
	recovered := recovery.WithRecoveryHandlerContext(func(ctx context.Context, p any) error {
		env.Log.ErrorContext(ctx, "panic", slog.Any("panic", p))
		return status.Error(codes.Internal, "internal error")
	})
	return serve(env,
		grpc.StatsHandler(otelgrpc.NewServerHandler()),
		grpc.ChainUnaryInterceptor(logging.UnaryServerInterceptor(logger, finished), recovery.UnaryServerInterceptor(recovered)),
		grpc.ChainStreamInterceptor(logging.StreamServerInterceptor(logger, finished), recovery.StreamServerInterceptor(recovered)),
		grpc.MaxHeaderListSize(32<<10),
		grpc.MaxConcurrentStreams(250),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second,
			MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: 5 * time.Minute,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
}
