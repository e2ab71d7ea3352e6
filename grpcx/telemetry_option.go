package grpcx

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry says what is recorded beyond the defaults, which are the metric
// rpc.server.call.duration of every method and a span for every call of the
// program's services, by OpenTelemetry's semantic conventions for RPC. The zero
// value leaves the defaults, or what an earlier option set.
type Telemetry struct {
	// PublicEndpoint makes each span the root of a new trace, linked to the span
	// of the caller, for a server whose callers are not to be trusted with the
	// sampling decision and the trace.
	PublicEndpoint bool
	// PeerIdentity adds the attribute grpcx.peer.identity to the spans of
	// connections with mutual TLS: who called, as [tlsx.Identity] prints it.
	PeerIdentity bool
	// RequestMetadata are the keys of request metadata that spans show as
	// rpc.request.metadata.<key>, up to 1 KiB of each value. Default none, since
	// metadata holds secrets.
	RequestMetadata []string
	// Messages adds the metrics grpcx.messages and grpcx.message.size: two
	// recordings for each message, without an allocation.
	Messages bool
}

// WithTelemetry sets what is recorded beyond the defaults. Fields merge.
func WithTelemetry(t Telemetry) Option {
	t.RequestMetadata = slices.Clone(t.RequestMetadata)
	return newOption("WithTelemetry", t, func(s *settings) error {
		for i, key := range t.RequestMetadata {
			if key == "" || strings.HasPrefix(key, ":") {
				return optionErrorf("WithTelemetry", "RequestMetadata", "key %d is %q; use the name of a request header", i, key)
			}
			if strings.HasSuffix(strings.ToLower(key), "-bin") {
				return optionErrorf("WithTelemetry", "RequestMetadata", "%q is binary; only text can be an attribute", key)
			}
		}
		merge(&s.telemetry, t)
		return nil
	})
}

// WithTracerProvider sets where spans go. Default and nil: the global provider,
// as it is when serving starts. Where that is OpenTelemetry's own default, which
// records nothing, no span is started.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return newOption("WithTracerProvider", nil, func(s *settings) error {
		if isNil(tp) {
			tp = nil
		}
		s.tracerProvider = tp
		return nil
	})
}

// WithMeterProvider sets where metrics go. Default and nil: the global provider,
// as it is when serving starts. Where that is OpenTelemetry's own default, which
// records nothing, nothing is measured.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return newOption("WithMeterProvider", nil, func(s *settings) error {
		if isNil(mp) {
			mp = nil
		}
		s.meterProvider = mp
		return nil
	})
}

// WithPropagator sets how the caller's trace and baggage are read from request
// metadata. Default and nil: the global propagator, as it is when serving
// starts; OpenTelemetry's own default reads nothing.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return newOption("WithPropagator", nil, func(s *settings) error {
		if isNil(p) {
			p = nil
		}
		s.propagator = p
		return nil
	})
}
