package healthx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/healthx"
)

// A plain grpc.Server whose health follows a database, and its drain.
func Example() {
	var up atomic.Bool
	up.Store(true)
	ping := func(context.Context) error {
		if !up.Load() {
			return errors.New("connection refused")
		}
		return nil
	}

	health := healthx.NewRegistry(healthx.WithLogger(slog.New(slog.DiscardHandler)))
	health.AddService("acme.greet.v1.Greeter")
	if err := health.AddCheck("postgres", ping, healthx.Interval(10*time.Millisecond), healthx.FailureThreshold(2)); err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer()
	health.Register(server)

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(lis) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ran := make(chan error)
	go func() { ran <- health.Run(ctx) }()
	<-health.Ready()

	// The client's side.
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	stream, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "acme.greet.v1.Greeter"})
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func() {
		resp, err := stream.Recv()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(resp.GetStatus())
	}
	show()
	up.Store(false)
	show()
	up.Store(true)
	show()

	health.Drain()
	show()
	stopped := make(chan struct{})
	go func() { server.GracefulStop(); close(stopped) }()
	health.Close()
	<-stopped
	show()
	cancel()
	fmt.Println("run:", <-ran)

	// Output:
	// SERVING
	// NOT_SERVING
	// SERVING
	// NOT_SERVING
	// rpc error: code = Unavailable desc = the server is shutting down
	// run: <nil>
}

func ExampleRegistry_Report() {
	health := healthx.NewRegistry(healthx.WithLogger(slog.New(slog.DiscardHandler)))
	down := func(context.Context) error { return errors.New("connection refused") }
	if err := health.AddCheck("cache", down, healthx.Informational()); err != nil {
		fmt.Println(err)
		return
	}
	if err := health.AddCheck("postgres", down); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := health.Run(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range health.Report().Checks {
		fmt.Println(c.Name, c.State, c.Error)
	}
	// Output:
	// cache failing connection refused
	// postgres failing connection refused
}
