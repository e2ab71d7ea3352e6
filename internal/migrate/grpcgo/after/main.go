// Command after serves with grpcx.
package main

import (
	"context"
	"log"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
	"github.com/grpcx-go/sdk/tlsx"
)

func main() {
	srv, err := grpcx.New(
		grpcx.WithTLSFiles(tlsx.Files{Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt"}),
		grpcx.WithProbeAddr(":8086"),
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter.Server{})
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
