// Command after serves with grpcx what kratos served.
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
		grpcx.WithAddr(":9000"),
		grpcx.WithInsecure(), // until APP_GRPC_TLS_CERT and the other two are set
		grpcx.WithMethods(selector.MatchFunc(unary), grpcx.Policy{Timeout: time.Second}),
		grpcx.WithReflection(),
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

// unary matches the calls that kratos gives a deadline.
func unary(_ context.Context, call interceptors.CallMeta) bool {
	return call.Typ == interceptors.Unary
}
