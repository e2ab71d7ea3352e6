package grpcx

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	oldrpcconv "go.opentelemetry.io/otel/semconv/v1.37.0/rpcconv"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"
	"go.opentelemetry.io/otel/trace"
)

// scopeName is the instrumentation scope of everything that is recorded.
const scopeName = "github.com/grpcx-go/sdk/grpcx"

// telemetry records calls. What can be known before a call is in the state of
// its method; what concerns one call is in its record.
type telemetry struct {
	tracer      trace.Tracer                  // nil: no spans
	propagator  propagation.TextMapPropagator // nil: nothing is read
	duration    metric.Float64Histogram       // seconds; nil: not measured
	oldDuration metric.Float64Histogram       // milliseconds, by the old conventions; nil: not measured
	panics      metric.Int64Counter           // nil: not counted
	messages    metric.Int64Counter           // nil: not counted
	messageSize metric.Int64Histogram
	convention  convention
	address     addressAttributes

	public   bool
	identity bool
	metadata []metadataKey
}

// metadataKey is a key of request metadata and the attribute that shows it.
type metadataKey struct {
	name string
	key  attribute.Key
}

// newTelemetry resolves the providers.
func newTelemetry(cfg *settings) (*telemetry, error) {
	t := &telemetry{
		convention: conventionOf(os.Getenv("OTEL_SEMCONV_STABILITY_OPT_IN")),
		public:     cfg.telemetry.PublicEndpoint,
		identity:   cfg.telemetry.PeerIdentity,
	}
	for _, name := range cfg.telemetry.RequestMetadata {
		name = strings.ToLower(name)
		t.metadata = append(t.metadata, metadataKey{name, attribute.Key("rpc.request.metadata." + name)})
	}
	if tp := cfg.tracing(); tp != nil {
		t.tracer = tp.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL))
	}
	var errs []error
	if mp := cfg.metering(); mp != nil {
		meter := mp.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
		errs = t.addInstruments(meter)
		if cfg.telemetry.Messages {
			errs = append(errs, t.addMessages(meter))
		}
	}
	if p := cfg.propagator; p != nil {
		t.propagator = p
	} else if p := otel.GetTextMapPropagator(); len(p.Fields()) > 0 {
		t.propagator = p
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &OptionError{Option: "WithMeterProvider", Err: err}
	}
	return t, nil
}

// idle reports whether nothing would be recorded, nor read for handlers.
func (t *telemetry) idle() bool {
	return t.tracer == nil && t.propagator == nil && t.duration == nil && t.oldDuration == nil
}

func (t *telemetry) addInstruments(meter metric.Meter) (errs []error) {
	if t.convention != conventionNew {
		old, err := oldrpcconv.NewServerDuration(meter)
		errs = append(errs, err)
		t.oldDuration = old.Inst()
	}
	if t.convention != conventionOld {
		duration, err := rpcconv.NewServerCallDuration(meter) // with the buckets that the conventions prescribe
		errs = append(errs, err)
		t.duration = duration.Inst()
	}
	panics, err := meter.Int64Counter("grpcx.panics", metric.WithUnit("{panic}"),
		metric.WithDescription("Handlers and interceptors that panicked or called runtime.Goexit."))
	t.panics = panics
	return append(errs, err)
}

// tracing is the provider of spans; nil when nothing would be recorded.
func (s *settings) tracing() trace.TracerProvider {
	if s.without[Tracing] {
		return nil
	}
	if s.tracerProvider != nil {
		return s.tracerProvider
	}
	if tp := otel.GetTracerProvider(); !isUnset(tp) {
		return tp
	}
	return nil
}

// metering is the provider of metrics; nil when nothing would be recorded.
func (s *settings) metering() metric.MeterProvider {
	if s.without[Metrics] {
		return nil
	}
	if s.meterProvider != nil {
		return s.meterProvider
	}
	if mp := otel.GetMeterProvider(); !isUnset(mp) {
		return mp
	}
	return nil
}

// isUnset reports whether a global provider is the one that OpenTelemetry begins
// with, which records nothing until it is replaced. TestUnsetProviders pins its
// type.
func isUnset(provider any) bool {
	t := reflect.TypeOf(provider)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "go.opentelemetry.io/otel/internal/global"
}

// extract returns ctx with what the caller's metadata says of its trace.
func (t *telemetry) extract(ctx context.Context) context.Context {
	if t.propagator == nil {
		return ctx
	}
	return t.propagator.Extract(ctx, incomingOf(ctx))
}
