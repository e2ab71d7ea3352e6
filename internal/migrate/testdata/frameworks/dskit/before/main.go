// Command before serves with dskit. Its flags name the certificates:
// -server.grpc-tls-cert-path and so on.
package main

import (
	"flag"
	"log"

	"github.com/grafana/dskit/grpcutil"
	"github.com/grafana/dskit/server"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	var cfg server.Config
	cfg.RegisterFlags(flag.CommandLine)
	flag.Parse()
	srv, err := server.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Shutdown()
	greet.RegisterGreeterServer(srv.GRPC, greeter.Server{})
	healthgrpc.RegisterHealthServer(srv.GRPC, grpcutil.NewHealthCheckFrom())
	if err := srv.Run(); err != nil {
		log.Fatal(err)
	}
}
