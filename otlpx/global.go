package otlpx

import "go.opentelemetry.io/otel"

// globals makes the providers OpenTelemetry's global ones, and remembers what was
// there.
func (p *pipeline) globals() {
	before := otel.GetTextMapPropagator()
	otel.SetTextMapPropagator(p.cfg.propagator)
	p.undo = append(p.undo, func() { otel.SetTextMapPropagator(before) })
	if p.tracer != nil {
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(p.tracer)
		p.undo = append(p.undo, func() { otel.SetTracerProvider(before) })
	}
	if p.meter != nil {
		before := otel.GetMeterProvider()
		otel.SetMeterProvider(p.meter)
		p.undo = append(p.undo, func() { otel.SetMeterProvider(before) })
	}
	if p.logger != nil {
		before := otel.GetLoggerProvider()
		otel.SetLoggerProvider(p.logger)
		p.undo = append(p.undo, func() { otel.SetLoggerProvider(before) })
	}
}
