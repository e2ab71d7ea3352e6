// Command before serves with kratos and its four middlewares.
package main

import (
	"flag"
	"os"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/logging"
	"github.com/go-kratos/kratos/v2/middleware/metrics"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	"github.com/go-kratos/kratos/v2/middleware/tracing"
	"github.com/go-kratos/kratos/v2/transport/grpc"
	"go.opentelemetry.io/otel"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	addr := flag.String("addr", ":9000", "address to listen on")
	flag.Parse()
	logger := log.With(log.NewStdLogger(os.Stderr), "trace_id", tracing.TraceID(), "span_id", tracing.SpanID())
	meter := otel.Meter("greeter")
	requests, err := metrics.DefaultRequestsCounter(meter, metrics.DefaultServerRequestsCounterName)
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := metrics.DefaultSecondsHistogram(meter, metrics.DefaultServerSecondsHistogramName)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.Address(*addr),
		grpc.Middleware(
			recovery.Recovery(),
			tracing.Server(),
			logging.Server(logger),
			metrics.Server(metrics.WithRequests(requests), metrics.WithSeconds(seconds)),
		),
	)
	greet.RegisterGreeterServer(server, greeter.Server{})
	app := kratos.New(kratos.Name("greeter"), kratos.Logger(logger), kratos.Server(server))
	if err := app.Run(); err != nil {
		log.Fatal(err)
	}
}
