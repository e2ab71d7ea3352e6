// Command mesh-sidecar serves plaintext, said out loud: the sidecar of a mesh
// such as Istio or Linkerd, in the same pod, does mutual TLS with the others.
// The server itself knows no caller then, and accepts everyone who reaches it,
// so have the mesh refuse plaintext (in Istio: PeerAuthentication STRICT).
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	srv, err := grpcx.New(
		grpcx.WithInsecure(),
		// In the pod set APP_GRPC_ADDR=:50051: sidecars dial the pod's address.
		grpcx.WithAddr("127.0.0.1:50051"),
		grpcx.WithReflection(), // so that grpcurl knows the methods
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})

	fmt.Printf("Call it: grpcurl -plaintext -d '{\"name\": \"Ada\"}' %s greet.v1.Greeter/Greet\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
