// Command hosted serves with grpcx inside an application of kratos, which goes
// on to register it and to serve HTTP beside it.
package main

import (
	"context"
	"flag"
	"time"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/log"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	addr := flag.String("addr", ":9000", "address to listen on")
	flag.Parse()
	srv, err := grpcx.New(grpcx.WithAddr(*addr), grpcx.WithInsecure(), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter.Server{})
	app := kratos.New(kratos.Name("greeter"), kratos.Server(hosted{srv}), kratos.StopTimeout(30*time.Second))
	if err := app.Run(); err != nil {
		log.Fatal(err)
	}
}

// hosted makes a server of grpcx one of kratos's transports.
type hosted struct{ *grpcx.Server }

func (h hosted) Start(ctx context.Context) error { return h.Serve(ctx) }

func (h hosted) Stop(ctx context.Context) error { return h.Shutdown(ctx) }
