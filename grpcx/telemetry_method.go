package grpcx

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
)

// methodTelemetry is what recording a call of one method needs and what does
// not differ from call to call.
type methodTelemetry struct {
	attrs     []attribute.KeyValue // of the method
	spanStart []trace.SpanStartOption
	spans     bool
	records   [numCodes]codeRecord

	received, sent direction // of messages, where they are counted
}

const numCodes = len(codeNames)

// codeRecord is what a status code adds: the complete attribute sets, kept
// because making one for each call costs more than recording it.
type codeRecord struct {
	record    []metric.RecordOption
	recordOld []metric.RecordOption
	status    []attribute.KeyValue // of the span
}

func (t *telemetry) method(m *method) *methodTelemetry {
	attrs := t.convention.attributes(m)
	mt := &methodTelemetry{
		attrs: attrs,
		spans: t.tracer != nil && !m.noSpans,
		spanStart: []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...),
		},
	}
	if t.messages != nil {
		mt.received, mt.sent = newDirection(m, "received"), newDirection(m, "sent")
	}
	if t.panics != nil {
		// The first panic has to be seen as a change, and not as a new series.
		t.panics.Add(context.Background(), 0, metric.WithAttributes(semconv.RPCMethod(m.name)))
	}
	for code := range mt.records {
		mt.records[code] = t.codeRecord(attrs, codes.Code(code))
	}
	return mt
}

func (t *telemetry) codeRecord(attrs []attribute.KeyValue, code codes.Code) codeRecord {
	status := semconv.RPCResponseStatusCode(codeName(code))
	r := codeRecord{status: []attribute.KeyValue{status}}
	all := append(append(make([]attribute.KeyValue, 0, len(attrs)+2), attrs...), status)
	if t.oldDuration != nil {
		r.recordOld = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
	}
	if isServerError(code) {
		all = append(all, errorType(code))
	}
	if t.duration != nil {
		r.record = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
	}
	return r
}

// of returns the record of a code, which a handler may have invented.
func (mt *methodTelemetry) of(t *telemetry, code codes.Code) codeRecord {
	if int(code) < len(mt.records) {
		return mt.records[code]
	}
	return t.codeRecord(mt.attrs, code)
}
