// Command minimal is the least that a server needs: transport security, a
// service, and Run, which serves until SIGTERM or Ctrl-C and then drains.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	// For development only. In production name the files of your own CA:
	// tlsx.Files{Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt"}.
	certs, err := devcert.Dir("certs")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.FromEnv("APP"), // APP_GRPC_ADDR and others beat the code
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})

	fmt.Printf("Call it: go -C examples run ./client -addr %s\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
