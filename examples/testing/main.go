// Command testing is a server whose tests, beside it, run in memory and on fake
// time: a deadline of 30 s and a drain of 20 s are tested in milliseconds.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
	think time.Duration
}

func (g greeter) Greet(ctx context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	select {
	case <-time.After(g.think):
		return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// options are what main and the tests share.
func options(g greeter) grpcx.Option {
	unary := selector.MatchFunc(func(_ context.Context, call interceptors.CallMeta) bool { return call.Method == "Greet" })
	return grpcx.Options(
		grpcx.WithMethods(unary, grpcx.Policy{Timeout: 30 * time.Second}),
		grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			greet.RegisterGreeterServer(s, g)
			return nil
		}),
	)
}

func main() {
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(grpcx.WithAddr("127.0.0.1:50051"), grpcx.WithTLSFiles(certs.ServerFiles()),
		options(greeter{think: time.Second}), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Test it: go -C examples test ./testing; call it: go -C examples run ./client -addr %s\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
