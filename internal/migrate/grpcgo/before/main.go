// Command before serves with grpc-go and has telemetry, recovery, a log, health
// and rotating certificates wired by hand.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

var (
	addr     = flag.String("addr", ":50051", "address to listen on")
	cert     = flag.String("cert", "/tls/tls.crt", "certificate")
	key      = flag.String("key", "/tls/tls.key", "private key")
	clientCA = flag.String("client-ca", "/tls/ca.crt", "CA of client certificates")
)

func main() {
	flag.Parse()
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{GetConfigForClient: loadTLS})),
		grpc.StatsHandler(otelgrpc.NewServerHandler()),
		grpc.ChainUnaryInterceptor(
			logging.UnaryServerInterceptor(logging.LoggerFunc(logCall), logging.WithLogOnEvents(logging.FinishCall)),
			recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered)),
		),
		grpc.ChainStreamInterceptor(
			logging.StreamServerInterceptor(logging.LoggerFunc(logCall), logging.WithLogOnEvents(logging.FinishCall)),
			recovery.StreamServerInterceptor(recovery.WithRecoveryHandlerContext(recovered)),
		),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: 5 * time.Minute}),
	)
	greet.RegisterGreeterServer(server, greeter.Server{})
	checks := health.NewServer()
	checks.SetServingStatus(greet.Greeter_ServiceDesc.ServiceName, healthgrpc.HealthCheckResponse_SERVING)
	healthgrpc.RegisterHealthServer(server, checks)

	lis, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		checks.Shutdown()
		time.AfterFunc(20*time.Second, server.Stop)
		server.GracefulStop()
	}()
	if err := server.Serve(lis); err != nil {
		log.Fatal(err)
	}
}

// loadTLS reads the files at every handshake, so that they may rotate.
func loadTLS(*tls.ClientHelloInfo) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(*clientCA)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(bundle) {
		return nil, errors.New("no certificate in " + *clientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

func logCall(ctx context.Context, level logging.Level, msg string, fields ...any) {
	slog.Log(ctx, slog.Level(level), msg, fields...)
}

func recovered(ctx context.Context, value any) error {
	slog.ErrorContext(ctx, "panic", "value", value, "stack", string(debug.Stack()))
	return status.Error(codes.Internal, "internal error")
}
