// Command otlp exports its traces, metrics and log to an OpenTelemetry Collector,
// such as that of compose.yaml. The variables OTEL_* say where to.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/otlpx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(ctx context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	slog.InfoContext(ctx, "greeting", "name", req.GetName()) // has the trace_id of the call
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	// The program's own lines are exported too; the server's are without it.
	slog.SetDefault(slog.New(otlpx.NewHandler(slog.NewJSONHandler(os.Stderr, nil))))
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		otlpx.New(),
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	fmt.Println("See the traces at http://127.0.0.1:16686, with the Collector of compose.yaml")
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
