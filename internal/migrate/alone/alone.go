// Package alone uses each package of the SDK without the others; docs/choosing.md
// shows its functions.
package alone

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/runtimex"
	"github.com/grpcx-go/sdk/tlsx"
)

// InstrumentServer puts telemetry, recovery, error mapping, access log and
// policy around the services of a server that you built.
func InstrumentServer(server *grpc.Server, impl greet.GreeterServer) error {
	services, err := grpcx.Instrument(server)
	if err != nil {
		return err
	}
	greet.RegisterGreeterServer(services, impl)
	return nil
}

// ServerTLS makes credentials that follow their files while ctx lasts.
func ServerTLS(ctx context.Context, files tlsx.Files) (credentials.TransportCredentials, error) {
	reloader, err := tlsx.NewReloader(files)
	if err != nil {
		return nil, err
	}
	go reloader.Run(ctx)
	return credentials.NewTLS(tlsx.ServerConfig(reloader)), nil
}

// HTTPClient calls HTTPS servers with a client certificate that rotates: tlsx
// knows nothing of gRPC. The files have Usage tlsx.ForClient.
func HTTPClient(ctx context.Context, files tlsx.Files, server string) (*http.Client, error) {
	reloader, err := tlsx.NewReloader(files)
	if err != nil {
		return nil, err
	}
	go reloader.Run(ctx)
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   tlsx.ClientConfig(reloader, tlsx.ServerName(server)),
			ForceAttemptHTTP2: true, // it offers HTTP/2
		},
	}, nil
}

// ServeHealth answers probes of a server that you built from the results of
// checks that run in the background while ctx lasts.
func ServeHealth(ctx context.Context, server *grpc.Server, ping func(context.Context) error) (*healthx.Registry, error) {
	health := healthx.NewRegistry()
	health.AddService(greet.Greeter_ServiceDesc.ServiceName)
	if err := health.AddCheck("postgres", ping); err != nil {
		return nil, err
	}
	health.Register(server)
	go health.Run(ctx)
	return health, nil
}

// TuneRuntime keeps GOMAXPROCS and GOMEMLIMIT in step with the container's
// limits, in any program.
func TuneRuntime() (undo func()) {
	tuning, err := runtimex.Apply()
	if err != nil {
		log.Fatal(err)
	}
	slog.Info("starting", "runtime", runtimex.Current())
	return tuning.Undo
}
