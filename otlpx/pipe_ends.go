package otlpx

import (
	"context"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The SDK's batch processors stand between the two ends of a pipe. They queue
// what the entry admits, so that their own queue, of the same size, never
// overflows, and what is dropped is counted.

// spanEntry admits spans to the SDK's batch processor.
type spanEntry struct {
	sdktrace.SpanProcessor

	pipe *pipe
}

func (e *spanEntry) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() && e.pipe.admit() {
		e.SpanProcessor.OnEnd(span)
	}
}

// spanExit exports the batches.
type spanExit struct {
	sdktrace.SpanExporter

	pipe *pipe
}

func (e *spanExit) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.pipe.send(ctx, int64(len(spans)), func(ctx context.Context) error {
		return e.SpanExporter.ExportSpans(ctx, fixSpans(spans))
	})
	return nil
}

// logEntry admits records to the SDK's batch processor.
type logEntry struct {
	sdklog.Processor

	pipe *pipe
}

func (e *logEntry) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if !e.pipe.admit() {
		return nil
	}
	limitBody(record)
	return e.Processor.OnEmit(ctx, record)
}

// logExit exports the batches.
type logExit struct {
	sdklog.Exporter

	pipe *pipe
}

func (e *logExit) Export(ctx context.Context, records []sdklog.Record) error {
	if len(records) == 0 {
		return nil // a flush of an empty queue says nothing of the collector
	}
	for i := range records {
		fixRecord(&records[i])
	}
	e.pipe.send(ctx, int64(len(records)), func(ctx context.Context) error {
		return e.Exporter.Export(ctx, records)
	})
	return nil
}

// metricExit exports what the SDK's periodic reader collected. Nothing waits
// there: what fails is collected anew.
type metricExit struct {
	sdkmetric.Exporter

	pipe *pipe
}

func (e *metricExit) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	fixMetrics(data)
	e.pipe.send(ctx, pointsOf(data), func(ctx context.Context) error {
		return e.Exporter.Export(ctx, data)
	})
	return nil
}

// pointsOf counts data points, which is what collectors reject.
func pointsOf(data *metricdata.ResourceMetrics) (n int64) {
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			n += int64(points(m.Data))
		}
	}
	return n
}

func points(data metricdata.Aggregation) int {
	switch data := data.(type) {
	case metricdata.Gauge[int64]:
		return len(data.DataPoints)
	case metricdata.Gauge[float64]:
		return len(data.DataPoints)
	case metricdata.Sum[int64]:
		return len(data.DataPoints)
	case metricdata.Sum[float64]:
		return len(data.DataPoints)
	case metricdata.Histogram[int64]:
		return len(data.DataPoints)
	case metricdata.Histogram[float64]:
		return len(data.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		return len(data.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return len(data.DataPoints)
	case metricdata.Summary:
		return len(data.DataPoints)
	default:
		return 0
	}
}
