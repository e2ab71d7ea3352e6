package grpcx_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Health, profiles and settings for operators, on loopback.
func ExampleWithAdminAddr() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithCheck("postgres", func(context.Context) error { return nil }),
		grpcx.WithAdminAddr(":0")) // in production ":6060"
	if err != nil {
		log.Fatal(err)
	}
	go serve(srv)
	<-srv.Ready()

	res, err := http.Get("http://" + srv.AdminAddr().String() + "/readyz?verbose")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	fmt.Print(string(body))
	fmt.Println(srv.Shutdown(context.Background()))
	// Output:
	// [+]running ok
	// [+]switch ok
	// [+]postgres ok
	// [+]shutdown ok
	// readyz check passed
	// <nil>
}

// A page of the program on the admin listener.
func ExampleSetup_HandleAdmin() {
	metrics := grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		s.HandleAdmin("/metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintln(w, "answers_total 42")
		}))
		return nil
	})
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}), grpcx.WithAdminAddr(":0"), metrics)
	if err != nil {
		log.Fatal(err)
	}
	go serve(srv)
	<-srv.Ready()

	res, err := http.Get("http://" + srv.AdminAddr().String() + "/metrics")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	fmt.Print(string(body))
	fmt.Println(srv.Shutdown(context.Background()))
	// Output:
	// answers_total 42
	// <nil>
}

// A probe that encrypts and has no certificate, beside mutual TLS.
func ExampleWithProbeTLS() {
	certs, err := devcert.New() // in production: grpcx.WithTLSFiles
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(grpcx.WithTLS(certs.ServerSource()), grpcx.WithAddr("127.0.0.1:0"), quiet,
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithProbeAddr("127.0.0.1:0"), grpcx.WithProbeTLS())
	if err != nil {
		log.Fatal(err)
	}
	go serve(srv)
	<-srv.Ready()

	anyServer := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) // mode TLS of KEP-4939
	conn, err := grpc.NewClient(srv.ProbeAddr().String(), grpc.WithTransportCredentials(anyServer))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(reply.GetStatus(), err)
	fmt.Println(srv.Shutdown(context.Background()))
	// Output:
	// SERVING <nil>
	// <nil>
}
