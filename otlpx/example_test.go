package otlpx_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/otlpx"
)

func ExampleNew() {
	var mu sync.Mutex
	got := map[string]bool{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] = true
	}))
	defer collector.Close()
	_ = os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL) // a deployment sets it
	defer os.Unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT")

	srv, err := grpcx.New(
		otlpx.New(),
		grpcx.WithInsecure(),
		grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	testgrpc.RegisterTestServiceServer(srv, &service{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	<-srv.Ready()

	conn, err := grpc.NewClient(srv.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), &testgrpc.Empty{})
	fmt.Println("called:", err)
	_ = conn.Close()
	_ = srv.Shutdown(context.Background())
	fmt.Println("served:", <-served)
	fmt.Println(got)
	// Output:
	// called: <nil>
	// served: <nil>
	// map[/v1/metrics:true /v1/traces:true]
}
