// Command after serves with grpcx what dskit served, and its metrics to
// Prometheus.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
	"github.com/grpcx-go/sdk/tlsx"
)

var metricsAddr = flag.String("metrics-addr", ":8080", "address of /metrics")

func main() {
	flag.Parse()
	exporter, err := prometheus.New()
	if err != nil {
		log.Fatal(err)
	}
	srv, err := grpcx.New(
		grpcx.WithAddr(":9095"),
		grpcx.WithTLSFiles(tlsx.Files{Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt"}),
		grpcx.WithProbeAddr(":8086"),
		grpcx.WithLimits(grpcx.Limits{MaxConcurrentStreams: 100}),
		grpcx.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))),
		grpcx.FromEnv("APP"),
	)
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter.Server{})
	srv.Go("metrics", serveMetrics)
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// serveMetrics runs until the drain is over.
func serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.Handler())
	server := &http.Server{Addr: *metricsAddr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
