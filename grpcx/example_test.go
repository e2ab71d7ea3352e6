package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

var quiet = grpcx.WithLogger(slog.New(slog.DiscardHandler))

func serve(srv *grpcx.Server) {
	if err := srv.Serve(context.Background()); err != nil {
		log.Print(err)
	}
}

// dial connects to a plaintext server of an example.
func dial(addr net.Addr) (*grpc.ClientConn, testgrpc.TestServiceClient) {
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return conn, testgrpc.NewTestServiceClient(conn)
}

// A server with mutual TLS, called once and drained.
func Example() {
	certs, err := devcert.New() // in production: grpcx.WithTLSFiles
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		grpcx.WithTLS(certs.ServerSource()),
		grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		quiet,
	)
	if err != nil {
		log.Fatal(err)
	}
	testgrpc.RegisterTestServiceServer(srv, &service{unary: func(ctx context.Context) error {
		id, _ := grpcx.PeerIdentity(ctx)
		fmt.Println("called by", id.DNSNames())
		return nil
	}})
	go serve(srv)
	<-srv.Ready()

	client := tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))
	conn, err := grpc.NewClient(srv.Addrs()[0].String(), grpc.WithTransportCredentials(credentials.NewTLS(client)))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = testgrpc.NewTestServiceClient(conn).UnaryCall(context.Background(), &testgrpc.SimpleRequest{})
	fmt.Println("answer:", status.Code(err))
	fmt.Println("drained:", srv.Shutdown(context.Background()))
	// Output:
	// called by [client.localhost]
	// answer: OK
	// drained: <nil>
}

// New reports every problem at once, with its remedy.
func ExampleNew_problems() {
	_, err := grpcx.New(
		grpcx.WithAddr("localhost"),
		grpcx.WithDrain(grpcx.Drain{Timeout: -1}),
	)
	fmt.Println(err)
	var oe *grpcx.OptionError
	fmt.Println(errors.As(err, &oe), oe.Option)
	// Output:
	// grpcx: WithAddr: "localhost" is not an address; write host:port, for example ":50051" or "127.0.0.1:50051"
	// grpcx: WithDrain.Timeout: is -1ns; it must be positive, or zero for the default of 15s
	// grpcx: WithTLSFiles: no transport security was chosen; use WithTLSFiles (or WithTLS) for mutual TLS, or WithInsecure to say that this server may speak plaintext
	// true WithAddr
}

// A preset that a platform team shares; the program changes one field of it.
func ExampleOptions() {
	platform := grpcx.Options(
		grpcx.WithInsecure(), // behind a mesh sidecar
		grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: 1 << 20, MaxConcurrentStreams: 100}),
		grpcx.WithDrain(grpcx.Drain{Delay: 10 * time.Second}),
	)
	srv, err := grpcx.New(platform, grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: 16 << 20}))
	if err != nil {
		log.Fatal(err)
	}
	s := srv.Settings()
	fmt.Println(s.Limits.MaxRecvBytes, s.Limits.MaxConcurrentStreams, s.Drain.Delay, s.Drain.Timeout)
	// Output: 16777216 100 10s 15s
}

// Uploads get a deadline and a line in the access log each.
func ExampleWithMethods() {
	isUpload := func(_ context.Context, call interceptors.CallMeta) bool {
		return strings.HasPrefix(call.Method, "Streaming")
	}
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithMethods(selector.MatchFunc(isUpload), grpcx.Policy{Timeout: 20 * time.Millisecond, Log: grpcx.LogAll}))
	if err != nil {
		log.Fatal(err)
	}
	testgrpc.RegisterTestServiceServer(srv, &service{})
	go serve(srv)
	<-srv.Ready()
	conn, client := dial(srv.Addrs()[0])
	defer conn.Close()

	upload, _ := client.StreamingInputCall(context.Background())
	fmt.Println(upload.RecvMsg(&testgrpc.StreamingInputCallResponse{}))
	fmt.Println(srv.Shutdown(context.Background()))
	// Output:
	// rpc error: code = DeadlineExceeded desc = deadline exceeded: the server allows 20ms for this method
	// <nil>
}

// A failing check takes the server out of rotation until it passes.
func ExampleWithCheck() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithCheck("postgres", func(context.Context) error { return nil }, healthx.Interval(time.Second)))
	if err != nil {
		log.Fatal(err)
	}
	before, _ := srv.Health().Status("")
	go serve(srv)
	<-srv.Ready()
	ready, _ := srv.Health().Status("")
	_ = srv.Shutdown(context.Background())
	after, _ := srv.Health().Status("")
	fmt.Println(before, ready, after)
	// Output: NOT_SERVING SERVING NOT_SERVING
}

// A long stream ends when the server drains, at a point of its choosing.
func ExampleDraining() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}))
	if err != nil {
		log.Fatal(err)
	}
	started := make(chan struct{})
	testgrpc.RegisterTestServiceServer(srv, &service{duplex: func(stream testgrpc.TestService_FullDuplexCallServer) error {
		draining := grpcx.Draining(stream.Context())
		close(started)
		<-draining
		return status.Error(codes.Unavailable, "draining, come back")
	}})
	go serve(srv)
	<-srv.Ready()
	conn, client := dial(srv.Addrs()[0])
	defer conn.Close()

	stream, _ := client.FullDuplexCall(context.Background())
	<-started
	go func() { _ = srv.Shutdown(context.Background()) }()
	_, err = stream.Recv()
	fmt.Println(status.Convert(err).Message())
	<-srv.Done()
	// Output: draining, come back
}

// A background task lives and ends with the server.
func ExampleServer_Go() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}))
	if err != nil {
		log.Fatal(err)
	}
	srv.Go("consumer", func(ctx context.Context) error {
		fmt.Println("consuming")
		<-ctx.Done()
		fmt.Println("consumer stops")
		return nil
	})
	go func() {
		<-srv.Ready()
		_ = srv.Shutdown(context.Background())
	}()
	fmt.Println(srv.Serve(context.Background()))
	// Output:
	// consuming
	// consumer stops
	// <nil>
}

// The call path of this package on a server built by hand.
func ExampleInstrument() {
	bare := grpc.NewServer()
	services, err := grpcx.Instrument(bare, quiet)
	if err != nil {
		log.Fatal(err)
	}
	testgrpc.RegisterTestServiceServer(services, &service{unary: func(context.Context) error { panic("boom") }})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = bare.Serve(lis) }()
	defer bare.Stop()
	conn, client := dial(lis.Addr())
	defer conn.Close()

	_, err = client.UnaryCall(context.Background(), &testgrpc.SimpleRequest{})
	fmt.Println(status.Code(err))
	// Output: Internal
}

// Open connections whose peer is no longer accepted are closed at once here;
// by default they are drained for 30s.
func ExampleWithDistrust() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithDistrust(grpcx.Distrust{Action: grpcx.DistrustClose}))
	if err != nil {
		log.Fatal(err)
	}
	d := srv.Settings().Distrust
	fmt.Println(d.Action, d.Grace)
	// Output: close 30s
}
