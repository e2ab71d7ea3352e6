// Command instrument serves with kratos, and has the call path of grpcx in place
// of its middlewares.
package main

import (
	"flag"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/transport/grpc"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	addr := flag.String("addr", ":9000", "address to listen on")
	flag.Parse()
	server := grpc.NewServer(grpc.Address(*addr))
	services, err := grpcx.Instrument(server)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(services, greeter.Server{})
	app := kratos.New(kratos.Name("greeter"), kratos.Server(server))
	if err := app.Run(); err != nil {
		log.Fatal(err)
	}
}
