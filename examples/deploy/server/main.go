// Command server is what the Dockerfile puts into an image: mutual TLS from
// mounted files, which may change while it serves, and probes on :8086.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	certs := flag.String("certs", "/tls", "directory of tls.crt, tls.key and ca.crt")
	admin := flag.String("admin", "127.0.0.1:6060", "address of the admin pages")
	plaintext := flag.Bool("insecure", false, "no TLS, for a pod whose sidecar does it")
	check := flag.Bool("check", false, "ask the admin address whether the server is ready, and exit")
	flag.Parse()
	if *check { // for runtimes that can only run a command, in an image without a shell
		mustBeReady("http://" + *admin + "/readyz")
		return
	}
	transport := grpcx.WithTLSFiles(tlsx.Files{Cert: *certs + "/tls.crt", Key: *certs + "/tls.key", ClientCA: *certs + "/ca.crt"})
	if *plaintext { // an argument, because FromEnv cannot weaken security
		transport = grpcx.WithInsecure()
	}
	srv, err := grpcx.New(transport, grpcx.WithProbeAddr(":8086"), grpcx.WithAdminAddr(*admin), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func mustBeReady(url string) {
	resp, err := (&http.Client{Timeout: time.Second}).Get(url)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		log.Fatal("not ready: " + resp.Status)
	}
}
