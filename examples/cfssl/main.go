// Command cfssl serves with mutual TLS, with certificates that were made from
// cfssl's JSON files by certs.sh, which renews them too: the server goes over to
// the new ones without a restart. Those that cfssl itself made do as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

// Greet tells callers whom their certificate says they are: not its CN.
func (greeter) Greet(ctx context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	caller, _ := grpcx.PeerIdentity(ctx)
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "! You are " + caller.SPIFFEID()}, nil
}

func main() {
	var files tlsx.Files
	flag.StringVar(&files.Cert, "cert", "certs/cfssl/server/tls.crt", "certificate, PEM")
	flag.StringVar(&files.Key, "key", "certs/cfssl/server/tls.key", "private key, PEM")
	flag.StringVar(&files.ClientCA, "client-ca", "certs/cfssl/server/ca.crt", "CA of the clients, PEM")
	flag.Parse()
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(files),
		grpcx.WithReflection(), // so that grpcurl knows the methods
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	fmt.Printf("Call it: cd examples/certs/cfssl/client && grpcurl -cacert ca.crt -cert tls.crt -key tls.key -d '{\"name\": \"Ada\"}' %s greet.v1.Greeter/Greet\n"+
		"Rotate: examples/cfssl/certs.sh\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
