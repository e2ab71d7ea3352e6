// Command embedded serves gRPC as a component of a larger program, which owns
// signals and an HTTP server. Serve, unlike Run, does nothing to the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	addr := flag.String("http", "127.0.0.1:8080", "address of the HTTP server")
	flag.Parse()
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	certs, err := devcert.Dir("certs") // for development; see ../mtls-files
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(grpcx.WithAddr("127.0.0.1:50051"), grpcx.WithTLSFiles(certs.ServerFiles()), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	mux := http.NewServeMux()
	mux.Handle("/", srv.Health().Handler()) // /livez, /readyz and /startupz
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		reply, _ := greeter{}.Greet(r.Context(), &greet.GreetRequest{Name: r.PathValue("name")})
		_, _ = fmt.Fprintln(w, reply.GetGreeting())
	})
	web := &http.Server{Addr: *addr, Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { // HTTP, with its probes, goes on until gRPC has drained
		served <- errors.Join(srv.Serve(ctx), web.Shutdown(context.Background()))
	}()
	fmt.Printf("Call it: curl -s http://%s/hello/Ada\n", *addr)
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-served; err != nil {
		log.Fatal(err)
	}
}
