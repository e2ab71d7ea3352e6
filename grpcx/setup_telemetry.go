package grpcx

import (
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var errSetupOver = errors.New("grpcx: the server serves already; set it inside the WithSetup hook")

// SetTracerProvider sets where spans go, as [WithTracerProvider] does. It fails
// where that option or an earlier hook has said so, and after the hooks.
func (s *Setup) SetTracerProvider(tp trace.TracerProvider) error {
	return setProvider(s, "SetTracerProvider", "WithTracerProvider", &s.server.cfg.tracerProvider, tp)
}

// SetMeterProvider sets where metrics go, as [WithMeterProvider] does. It fails
// where that option or an earlier hook has said so, and after the hooks: a
// provider takes any number of readers, so give both exporters to one.
func (s *Setup) SetMeterProvider(mp metric.MeterProvider) error {
	return setProvider(s, "SetMeterProvider", "WithMeterProvider", &s.server.cfg.meterProvider, mp)
}

// SetPropagator sets how the caller's trace is read, as [WithPropagator] does.
// It fails where that option or an earlier hook has said so, and after the
// hooks.
func (s *Setup) SetPropagator(p propagation.TextMapPropagator) error {
	return setProvider(s, "SetPropagator", "WithPropagator", &s.server.cfg.propagator, p)
}

func setProvider[T any](s *Setup, method, option string, to *T, value T) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	switch {
	case s.server.phase > phaseStarting:
		return errSetupOver
	case isNil(value):
		return fmt.Errorf("grpcx: Setup.%s: the value is nil; leave the call out", method)
	case !isNil(*to):
		return fmt.Errorf("grpcx: Setup.%s: there is one already, of %s or of an earlier hook; keep one of them", method, option)
	}
	*to = value
	return nil
}

// SetLogger sets the logger of everything that the server, its TLS files, health
// checks and listeners log from then on. Hooks may wrap what [Setup.Logger]
// returns; the last one wins. It fails for nil, and after the hooks.
func (s *Setup) SetLogger(log *slog.Logger) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	switch {
	case s.server.phase > phaseStarting:
		return errSetupOver
	case log == nil:
		return errors.New("grpcx: Setup.SetLogger: the logger is nil; for silence use slog.New(slog.DiscardHandler)")
	}
	s.server.cfg.log.setup.Store(log)
	return nil
}
