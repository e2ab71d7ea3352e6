// Command kratos serves with kratos.
package main

import (
	"context"

	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/logging"
	"github.com/go-kratos/kratos/v2/middleware/metrics"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	"github.com/go-kratos/kratos/v2/middleware/tracing"
	"github.com/go-kratos/kratos/v2/transport/grpc"

	"github.com/grpcx-go/sdk/bench/server"
)

func main() { server.Main(server.Stack{Name: "kratos", Serve: serveKratos}) }

// serveKratos has its four middlewares; the logging one writes the request of
// every call as text, at the level of information, and the logger drops what is
// below errors, which is after that text was made.
func serveKratos(env *server.Env) error {
	t := server.SetTelemetry(server.Sampling)
	meter := t.Meter.Meter("kratos")
	requests, err := metrics.DefaultRequestsCounter(meter, metrics.DefaultServerRequestsCounterName)
	if err != nil {
		return err
	}
	seconds, err := metrics.DefaultSecondsHistogram(meter, metrics.DefaultServerSecondsHistogramName)
	if err != nil {
		return err
	}
	logger := log.NewFilter(log.NewStdLogger(env.LogFile), log.FilterLevel(log.LevelError))
	log.SetLogger(logger)
	srv := grpc.NewServer(
		grpc.Listener(env.Listener()),
		grpc.TLSConfig(env.TLS),
		grpc.Middleware(
			recovery.Recovery(),
			tracing.Server(),
			logging.Server(logger),
			metrics.Server(metrics.WithRequests(requests), metrics.WithSeconds(seconds)),
		),
	)
	server.Register(srv)
	return srv.Start(context.Background())
}
