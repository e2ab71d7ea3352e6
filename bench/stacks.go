package bench

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
)

// stack is one way to build a server.
type stack struct {
	name  string
	serve func(net.Listener) error
}

// stacks holds the baseline first.
var stacks = []stack{
	{"bare", serveBare},
	{"bare again", serveBare},
	{"grpcx", serveGRPCX},
	{"by hand", serveByHand},
}

// Bare is the name of the stack that the others are compared with.
const Bare = "bare"

func serveBare(lis net.Listener) error {
	srv := grpc.NewServer()
	grpc_testing.RegisterBenchmarkServiceServer(srv, service{})
	return srv.Serve(lis)
}

// serveGRPCX is what New gives: recovery, log of failed calls, limits, health.
// Serve, unlike Run, leaves the Go runtime as it is for the other stacks.
func serveGRPCX(lis net.Listener) error {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(lis), grpcx.WithLogger(errorLog()))
	if err != nil {
		return err
	}
	grpc_testing.RegisterBenchmarkServiceServer(srv, service{})
	return srv.Serve(context.Background())
}

// serveByHand has the features of grpcx from go-grpc-middleware and grpc-go,
// with the limits of docs/defaults.md.
func serveByHand(lis net.Listener) error {
	log := errorLog()
	logger := logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		log.Log(ctx, slog.Level(level), msg, fields...)
	})
	finished := logging.WithLogOnEvents(logging.FinishCall)
	recovered := recovery.WithRecoveryHandlerContext(func(ctx context.Context, p any) error {
		log.ErrorContext(ctx, "panic", slog.Any("panic", p))
		return status.Error(codes.Internal, "internal error")
	})
	srv := grpc.NewServer(
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
	grpc_testing.RegisterBenchmarkServiceServer(srv, service{})
	healthgrpc.RegisterHealthServer(srv, health.NewServer())
	return srv.Serve(lis)
}

func errorLog() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
