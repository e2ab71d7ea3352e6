package promx

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/grpcx-go/sdk/grpcx"
)

// New returns the option that records the server's metrics and serves them as
// /metrics on the admin listener. It is the server's meter provider: beside
// [grpcx.WithMeterProvider], or another option that sets one, Serve fails; use
// [NewReader] then. Mistakes in the options, and a server without an admin
// listener, make Serve fail as well.
//
// Nothing happens before Serve, and nothing global then. The option can be given
// to several servers, each of which has its own metrics.
func New(opts ...Option) grpcx.Option {
	return grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		e, err := newExporter(opts, otelprom.WithoutScopeInfo())
		if err != nil {
			return err
		}
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(e.reader))
		e.stop = provider.Shutdown
		e.registered.Store(true)
		err = s.SetMeterProvider(provider)
		if err != nil {
			err = fmt.Errorf("promx.New: %w, or have one provider for all: promx.NewReader has a reader for sdkmetric.WithReader and otlpx.WithMetricReader", err)
		}
		return errors.Join(err, e.serve(s))
	})
}

// NewReader is [New] for a meter provider that is made elsewhere, by otlpx or by
// the program, so that what it records goes to Prometheus too:
//
//	reader, page := promx.NewReader()
//	grpcx.New(otlpx.New(otlpx.WithMetricReader(reader)), page, ...)
//
//	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), ...)
//	grpcx.New(grpcx.WithMeterProvider(provider), page, ...)
//
// The reader belongs to the provider, whose owner shuts it down. Give the page
// after otlpx: what is set up last is stopped first, and a last scrape needs the
// provider. The page has the metrics of every meter of the provider; labels
// otel_scope_* keep them apart.
func NewReader(opts ...Option) (reader sdkmetric.Reader, page grpcx.Option) {
	e, err := newExporter(opts)
	if err != nil {
		return sdkmetric.NewManualReader(), grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { return err })
	}
	return e.reader, grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error { return e.serve(s) })
}

func newExporter(opts []Option, more ...otelprom.Option) (*exporter, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if cfg.native {
		more = append(more, otelprom.WithAggregationSelector(nativeHistograms))
	}
	reader, err := otelprom.New(append(more, otelprom.WithRegisterer(cfg.registerer))...)
	if err != nil {
		return nil, fmt.Errorf("promx: WithRegistry: %w", err)
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		err := cfg.registerer.Register(c)
		if _, there := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !there {
			return nil, errors.Join(fmt.Errorf("promx: WithRegistry: %w", err), reader.Shutdown(context.Background()))
		}
	}
	return &exporter{config: cfg, reader: reader, scraped: make(chan struct{}, 1)}, nil
}

// nativeHistograms is the default aggregation but for histograms. Prometheus
// knows no finer scale.
func nativeHistograms(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	if kind == sdkmetric.InstrumentKindHistogram {
		return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 8}
	}
	return sdkmetric.DefaultAggregationSelector(kind)
}

// isNil also finds a nil pointer inside an interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice, reflect.Interface:
		return r.IsNil()
	default:
		return false
	}
}
