// Command connect is a server that connectconformance can test: the service of
// the suite on a grpcx server with every default on, or with -bare on a grpc-go
// server as it comes.
//
// The suite starts it once for each kind of server that it wants, says which
// kind on standard input, and reads the address from standard output.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"connectrpc.com/conformance/internal"
	"connectrpc.com/conformance/internal/app/grpcserver"
	conformance "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // the suite compresses
)

// server is either kind of server.
type server interface {
	grpc.ServiceRegistrar
	serve(context.Context, net.Listener) error
}

func main() {
	bare := flag.Bool("bare", false, "serve on a grpc-go server as it comes")
	flag.Parse()
	if err := run(*bare); err != nil {
		log.Fatal(err)
	}
}

func run(bare bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	codec := internal.NewCodec(false)
	want := &conformance.ServerCompatRequest{}
	if err := codec.NewDecoder(os.Stdin).DecodeNext(want); err != nil {
		return fmt.Errorf("read which server is wanted: %w", err)
	}
	if want.Protocol != conformance.Protocol_PROTOCOL_GRPC || want.HttpVersion != conformance.HTTPVersion_HTTP_VERSION_2 {
		return fmt.Errorf("%v over %v is not served", want.Protocol, want.HttpVersion)
	}
	var cert *tls.Certificate
	if want.UseTls {
		pair, err := tls.X509KeyPair(want.GetServerCreds().GetCert(), want.GetServerCreds().GetKey())
		if err != nil {
			return fmt.Errorf("the server's certificate: %w", err)
		}
		cert = &pair
	}
	build := newWoven
	if bare {
		build = newBare
	}
	srv, err := build(want, cert)
	if err != nil {
		return err
	}
	conformance.RegisterConformanceServiceServer(srv, grpcserver.NewConformanceServiceServer())

	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr, ok := lis.Addr().(*net.TCPAddr)
	if !ok {
		return errors.New("not a TCP address")
	}
	if err := codec.NewEncoder(os.Stdout).Encode(&conformance.ServerCompatResponse{
		Host: addr.IP.String(), Port: uint32(addr.Port), PemCert: want.GetServerCreds().GetCert(),
	}); err != nil {
		return fmt.Errorf("tell the address: %w", err)
	}
	return srv.serve(ctx, lis)
}
