// Command streaming-with-drain greets every caller once a second, for as long
// as the caller likes, and says goodbye when the server drains: a long stream
// ends at a point of its own choosing, before Drain.Timeout cuts it.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) GreetEach(stream greet.Greeter_GreetEachServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	draining := grpcx.Draining(stream.Context()) // also when this connection ages out
	for tick := time.Tick(time.Second); ; {
		if err := stream.Send(&greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}); err != nil {
			return err
		}
		select {
		case <-tick:
		case <-stream.Context().Done(): // the caller has gone
			return status.FromContextError(stream.Context().Err()).Err()
		case <-draining:
			_ = stream.Send(&greet.GreetResponse{Greeting: "Goodbye, " + req.GetName() + "!"})
			return status.Error(codes.Unavailable, "draining: open the stream again")
		}
	}
}

func main() {
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(grpcx.WithAddr("127.0.0.1:50051"), grpcx.WithTLSFiles(certs.ServerFiles()),
		grpcx.WithReflection(), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	fmt.Printf("Call it, then press Ctrl-C here: cd examples/certs && grpcurl -cacert ca.crt -cert client.crt -key client.key -d '{\"name\": \"Ada\"}' %s greet.v1.Greeter/GreetEach\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
