// Command health-checks tells an orchestrator how it is. Checks run in the
// background and decide readiness, never liveness; probes that have no client
// certificate ask on listeners of their own, over gRPC and HTTP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func maintenance(context.Context) error { // a check is any such function, as db.PingContext
	if _, err := os.Stat("maintenance"); err == nil {
		return errors.New("the file maintenance exists; remove it")
	}
	return nil
}

func main() {
	probe := flag.String("probe", "127.0.0.1:8086", "address for gRPC probes; in a pod :8086")
	admin := flag.String("admin", "127.0.0.1:6060", "address for HTTP probes, metrics and profiles")
	cache := flag.String("cache", "127.0.0.1:6379", "address of a cache that the server can do without")
	flag.Parse()
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.WithCheck("maintenance", maintenance, healthx.Interval(time.Second), healthx.FailureThreshold(1)),
		grpcx.WithCheck("disk", healthx.DiskSpace(".", 10<<20)),
		grpcx.WithCheck("cache", healthx.TCP(*cache), healthx.Informational()), // reported only
		grpcx.WithProbeAddr(*probe),
		grpcx.WithAdminAddr(*admin),
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	fmt.Printf("Create and remove the file examples/maintenance, and ask: curl -s 'http://%s/readyz?verbose'\n", *admin)
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
