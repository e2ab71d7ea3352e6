package otlpx

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// observe makes the books of the pipes be read by the meter. They cost calls
// nothing.
func observe(provider *sdkmetric.MeterProvider, pipes []*pipe) error {
	meter := provider.Meter(scopeName)
	items, err := meter.Int64ObservableCounter("grpcx.otlp.items", metric.WithUnit("{item}"),
		metric.WithDescription("Spans, data points and log records, by what became of them: exported, failed, dropped."))
	if err != nil {
		return err
	}
	queue, err := meter.Int64ObservableUpDownCounter("grpcx.otlp.queue", metric.WithUnit("{item}"),
		metric.WithDescription("Spans and log records that wait for their export."))
	if err != nil {
		return err
	}
	failing, err := meter.Int64ObservableUpDownCounter("grpcx.otlp.failing", metric.WithUnit("1"),
		metric.WithDescription("1 while the collector does not take what it gets, else 0."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		for _, p := range pipes {
			signal := attribute.String("grpcx.signal", string(p.kind))
			report := func(outcome string, n int64) {
				to.ObserveInt64(items, n, metric.WithAttributes(signal, attribute.String("grpcx.outcome", outcome)))
			}
			report("exported", p.exported.Load())
			report("failed", p.failed.Load())
			bad := int64(0)
			if p.isFailing() {
				bad = 1
			}
			to.ObserveInt64(failing, bad, metric.WithAttributes(signal))
			if p.limit > 0 {
				report("dropped", p.dropped.Load())
				to.ObserveInt64(queue, min(p.pending.Load(), p.limit), metric.WithAttributes(signal))
			}
		}
		return nil
	}, items, queue, failing)
	return err
}
