package promx_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/promx"
)

// The metrics of a server.
func ExampleNew() {
	show(promx.New(), "grpcx_health_ready", "grpcx_drain_phase", "grpcx_connections_open")
	// Output:
	// grpcx_connections_open 0
	// grpcx_drain_phase 1
	// grpcx_health_ready 1
}

// Those that the program makes with client_golang are on the same page.
func ExampleWithRegistry() {
	registry := prometheus.NewRegistry()
	orders := prometheus.NewCounter(prometheus.CounterOpts{Name: "shop_orders_total", Help: "Orders taken."})
	registry.MustRegister(orders)
	orders.Add(3)

	show(promx.New(promx.WithRegistry(registry, registry)), "grpcx_health_ready", "shop_orders_total")
	// Output:
	// grpcx_health_ready 1
	// shop_orders_total 3
}

// Those that it makes with OpenTelemetry come from its own meter provider.
func ExampleNewReader() {
	reader, page := promx.NewReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	orders, err := provider.Meter("shop").Int64Counter("shop.orders")
	if err != nil {
		log.Fatal(err)
	}
	orders.Add(context.Background(), 3)

	show(grpcx.Options(page, grpcx.WithMeterProvider(provider)), "shop_orders_total")
	// Output:
	// shop_orders_total{otel_scope_name="shop",otel_scope_schema_url="",otel_scope_version=""} 3
}

// show serves, reads the page and prints some of it.
func show(option grpcx.Option, names ...string) {
	srv, err := grpcx.New(option,
		grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithAdminAddr("localhost:0"), // in production ":6060"
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()

	resp, err := client.Get("http://" + srv.AdminAddr().String() + "/metrics")
	if err != nil {
		log.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		log.Fatal(resp.Status, err)
	}
	_ = resp.Body.Close()
	for line := range strings.Lines(string(page)) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				fmt.Print(line)
			}
		}
	}
	cancel()
	if err := <-served; err != nil {
		log.Fatal(err)
	}
}
