// Command after serves with grpcx what go-zero served.
package main

import (
	"context"
	"log"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	srv, err := grpcx.New(
		grpcx.WithAddr(":8080"),
		grpcx.WithInsecure(), // until APP_GRPC_TLS_CERT and the other two are set
		grpcx.WithAdminAddr(":6060"),
		grpcx.WithMethods(selector.MatchFunc(unary), grpcx.Policy{Timeout: 2 * time.Second, LogSlow: 500 * time.Millisecond}),
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

// unary matches the calls that go-zero gives a deadline.
func unary(_ context.Context, call interceptors.CallMeta) bool {
	return call.Typ == interceptors.Unary
}
