// Command pieces is the server of grpc-go with each piece replaced by one of
// the SDK. What remains by hand is the order of the drain.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
	"github.com/grpcx-go/sdk/tlsx"
)

var (
	addr     = flag.String("addr", ":50051", "address to listen on")
	cert     = flag.String("cert", "/tls/tls.crt", "certificate")
	key      = flag.String("key", "/tls/tls.key", "private key")
	clientCA = flag.String("client-ca", "/tls/ca.crt", "CA of client certificates")
)

func main() {
	flag.Parse()
	files, err := tlsx.NewReloader(tlsx.Files{Cert: *cert, Key: *key, ClientCA: *clientCA})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(tlsx.ServerConfig(files))),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: 5 * time.Minute}),
	)
	services, err := grpcx.Instrument(server)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(services, greeter.Server{})
	checks := healthx.NewRegistry()
	checks.AddService(greet.Greeter_ServiceDesc.ServiceName)
	checks.Register(services)

	lis, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	work, end := context.WithCancel(context.Background()) // outlives the drain
	defer end()
	go files.Run(work)
	go checks.Run(work)
	ctx, stop := signal.NotifyContext(work, syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		checks.Drain()
		time.Sleep(5 * time.Second) // endpoints and load balancers follow
		time.AfterFunc(15*time.Second, server.Stop)
		time.AfterFunc(time.Second/2, checks.Close)
		server.GracefulStop()
	}()
	if err := server.Serve(lis); err != nil {
		log.Fatal(err)
	}
}
