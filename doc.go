// Package sdk is the root of a software development kit for gRPC servers that
// go to production: they authenticate both sides with certificates that
// rotate while serving, bound everything a peer can make them spend, tell the
// truth about their health, and drain without losing a request.
//
// The package itself holds nothing but this text. This is a complete server,
// the shortest one and the one for production:
//
//	package main
//
//	import (
//		"context"
//		"log"
//
//		"github.com/grpcx-go/sdk/examples/greet"
//		"github.com/grpcx-go/sdk/grpcx"
//		"github.com/grpcx-go/sdk/tlsx"
//	)
//
//	type greeter struct{ greet.UnimplementedGreeterServer }
//
//	func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
//		return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
//	}
//
//	func main() {
//		srv, err := grpcx.New(
//			grpcx.WithTLSFiles(tlsx.Files{Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt"}),
//			grpcx.WithProbeAddr(":8086"),
//		)
//		if err != nil {
//			log.Fatal(err)
//		}
//		greet.RegisterGreeterServer(srv, greeter{})
//		if err := srv.Run(context.Background()); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # Where to look
//
//   - [github.com/grpcx-go/sdk/grpcx]: the server with its options and
//     lifecycle; grpcx/grpcxtest starts one inside a test.
//   - [github.com/grpcx-go/sdk/tlsx]: certificates and trust that rotate while
//     serving, for any server or client; tlsx/devcert makes development ones.
//   - [github.com/grpcx-go/sdk/healthx]: the gRPC health service with
//     dependency checks.
//   - [github.com/grpcx-go/sdk/runtimex]: GOMAXPROCS, GOMEMLIMIT and GOGC in
//     step with the limits of the container, while it runs.
//
// The last three depend neither on grpcx nor on each other, so each can be
// used alone with an existing [google.golang.org/grpc.Server]. Modules of their
// own are otlpx and promx, which export what grpcx measures, and cmd/grpcx, the
// command line. The directory
// examples holds programs to copy, and docs the details: defaults, lifecycle,
// TLS, runtime, security.
package sdk
