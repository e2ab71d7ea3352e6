// Command prometheus serves its metrics on the admin listener, those of grpcx
// beside a counter of its own, for the Prometheus and Grafana of compose.yaml.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/promx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer

	greetings prometheus.Counter
}

func (g greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	g.greetings.Inc()
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	admin := flag.String("admin", "127.0.0.1:6060", "address for metrics, HTTP probes and profiles")
	flag.Parse()
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	greetings := prometheus.NewCounter(prometheus.CounterOpts{Name: "greetings_total", Help: "Greetings."})
	registry := prometheus.NewRegistry()
	registry.MustRegister(greetings)
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.WithAdminAddr(*admin),
		promx.New(promx.WithRegistry(registry, registry)), // promx.New() if there is nothing to add
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{greetings: greetings})
	fmt.Printf("Read the metrics: curl -s http://%s/metrics\n", *admin)
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
