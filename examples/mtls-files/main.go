// Command mtls-files serves with mutual TLS from files that it follows: a new
// certificate, key or CA is adopted as a whole, without a restart, and open
// connections whose peer is no longer trusted are drained. With -dev it makes
// development certificates in a directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

// Greet tells callers whom their certificate says they are.
func (greeter) Greet(ctx context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	caller, _ := grpcx.PeerIdentity(ctx)
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "! You are " + strings.Join(caller.DNSNames(), ", ")}, nil
}

func main() {
	var files tlsx.Files
	flag.StringVar(&files.Cert, "cert", "/tls/tls.crt", "certificate chain, PEM")
	flag.StringVar(&files.Key, "key", "/tls/tls.key", "private key, PEM")
	flag.StringVar(&files.ClientCA, "client-ca", "/tls/ca.crt", "CAs that sign the clients' certificates, PEM")
	dev := flag.String("dev", "", "make development certificates in this directory and use them")
	flag.Parse()
	if *dev != "" {
		certs, err := devcert.Dir(*dev)
		if err != nil {
			log.Fatal(err)
		}
		files = certs.ServerFiles()
	}
	srv, err := grpcx.New(
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithTLSFiles(files, tlsx.WithPollInterval(5*time.Second)),
		grpcx.WithDistrust(grpcx.Distrust{Grace: 10 * time.Second}),
		grpcx.FromEnv("APP"),
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
