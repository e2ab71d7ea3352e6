// Command quickstart serves a greeter with mutual TLS on 127.0.0.1:50051. It
// makes development certificates in a directory and prints the commands that
// call it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"

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
	dir := flag.String("certs", "certs", "directory for the development certificates")
	addr := flag.String("addr", "127.0.0.1:50051", "address to listen on")
	flag.Parse()

	path, err := filepath.Abs(*dir)
	if err != nil {
		log.Fatal(err)
	}
	certs, err := devcert.Dir(path)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		grpcx.WithAddr(*addr),
		grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.WithReflection(), // so that grpcurl knows the methods
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})

	client := certs.ClientFiles()
	call := fmt.Sprintf("grpcurl -cacert %s -cert %s -key %s", client.ClientCA, client.Cert, client.Key)
	fmt.Printf("Call it from another terminal:\n\n"+
		"  %[1]s -d '{\"name\": \"Ada\"}' %[2]s greet.v1.Greeter/Greet\n\n"+
		"and ask for its health:\n\n"+
		"  %[1]s %[2]s grpc.health.v1.Health/Check\n\n"+
		"Ctrl-C drains it.\n\n", call, *addr)
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
