// Command instrument serves with dskit, and has the call path of grpcx around
// its services.
package main

import (
	"flag"
	"log"

	"github.com/grafana/dskit/grpcutil"
	"github.com/grafana/dskit/server"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
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
	// dskit always installs otelgrpc: its spans stay, and with a global
	// MeterProvider its metrics.
	services, err := grpcx.Instrument(srv.GRPC, grpcx.Without(grpcx.Tracing))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(services, greeter.Server{})
	healthgrpc.RegisterHealthServer(srv.GRPC, grpcutil.NewHealthCheckFrom())
	if err := srv.Run(); err != nil {
		log.Fatal(err)
	}
}
