// Command existing-server adds the SDK piece by piece to a grpc.Server built by hand.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/runtimex"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	addr := flag.String("addr", "127.0.0.1:50051", "address to listen on")
	flag.Parse()
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer must(runtimex.Apply()).Undo()                                          // 1. GOMAXPROCS and GOMEMLIMIT follow the container
	reloader := must(tlsx.NewReloader(must(devcert.Dir("certs")).ServerFiles())) // 2. certificates rotate
	go reloader.Run(context.Background())
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(tlsx.ServerConfig(reloader))))
	greet.RegisterGreeterServer(must(grpcx.Instrument(server)), greeter{}) // 3. telemetry, recovery, access log
	health := healthx.NewRegistry()                                        // 4. health; checks: health.AddCheck
	health.AddService(greet.Greeter_ServiceDesc.ServiceName)
	health.Register(server)
	go health.Run(context.Background())
	context.AfterFunc(ctx, func() { // 5. a drain that ends
		health.Drain()              // probes and watching clients are told
		time.Sleep(5 * time.Second) // and move away
		time.AfterFunc(15*time.Second, server.Stop)
		go server.GracefulStop()
		health.Close()
	})
	log.Printf("Call it: go -C examples run ./client -addr %s", *addr)
	must(0, server.Serve(must(net.Listen("tcp", *addr))))
}
