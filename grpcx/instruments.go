package grpcx

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/grpcx-go/sdk/runtimex"
	"github.com/grpcx-go/sdk/tlsx"
)

// The instruments of the server itself are read when somebody collects, and
// cost calls nothing. docs/telemetry.md lists them.

// handshakeBuckets are those of calls by the conventions, in seconds.
var handshakeBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// observer is one instrument and how to read it.
type observer struct {
	instrument metric.Observable
	observe    func(metric.Observer)
}

// observables makes instruments of one meter.
type observables struct {
	meter metric.Meter
	all   []observer
	errs  []error
}

// gauge adds what can rise and fall and does not add up.
func (o *observables) gauge(name, unit, description string, read func(report func(value float64, attrs ...attribute.KeyValue))) {
	g, err := o.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	o.add(g, err, func(to metric.Observer) {
		read(func(value float64, attrs ...attribute.KeyValue) {
			to.ObserveFloat64(g, value, metric.WithAttributes(attrs...))
		})
	})
}

// level adds a number of things that are there now.
func (o *observables) level(name, unit, description string, read func(report func(value int64, attrs ...attribute.KeyValue))) {
	c, err := o.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	o.add(c, err, func(to metric.Observer) {
		read(func(value int64, attrs ...attribute.KeyValue) {
			to.ObserveInt64(c, value, metric.WithAttributes(attrs...))
		})
	})
}

// counter adds what only grows.
func (o *observables) counter(name, unit, description string, read func(report func(value uint64, attrs ...attribute.KeyValue))) {
	c, err := o.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	o.add(c, err, func(to metric.Observer) {
		read(func(value uint64, attrs ...attribute.KeyValue) {
			to.ObserveInt64(c, int64(value), metric.WithAttributes(attrs...)) // beyond 2^63 only on paper
		})
	})
}

func (o *observables) add(i metric.Observable, err error, observe func(metric.Observer)) {
	if err != nil {
		o.errs = append(o.errs, err)
		return
	}
	o.all = append(o.all, observer{i, observe})
}

// register makes the instruments be read. The returned function ends that.
func (o *observables) register() (unregister func() error, err error) {
	instruments := make([]metric.Observable, len(o.all))
	for i, one := range o.all {
		instruments[i] = one.instrument
	}
	r, err := o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		for _, one := range o.all {
			one.observe(to)
		}
		return nil
	}, instruments...)
	if err = errors.Join(append(o.errs, err)...); err != nil {
		return nil, &OptionError{Option: "WithMeterProvider", Err: err}
	}
	return r.Unregister, nil
}

// observeServer makes the state of the server be read by a meter.
func (s *Server) observeServer(meter metric.Meter) (unregister func() error, err error) {
	o := &observables{meter: meter}
	o.level("grpcx.calls.active", "{call}", "Calls that a handler is working on.",
		func(report func(int64, ...attribute.KeyValue)) {
			for _, m := range s.path.all() {
				report(m.inFlight.Load(), semconv.RPCMethod(m.name))
			}
		})
	o.level("grpcx.connections.open", "{connection}", "Open connections, those in their handshake included.",
		func(report func(int64, ...attribute.KeyValue)) { report(int64(s.table.open())) })
	o.counter("grpcx.connections", "{connection}", "Connections that were accepted, and those that Limits.MaxConnections refused.",
		func(report func(uint64, ...attribute.KeyValue)) {
			accepted, refused := s.table.counts()
			report(accepted, outcome("accepted"))
			report(refused, outcome("refused"))
		})
	o.level("grpcx.drain.phase", "1", "How far the server is: 0 starting, 1 serving, 2 draining.",
		func(report func(int64, ...attribute.KeyValue)) { report(s.drainPhase()) })
	o.counter("grpcx.drain.abandoned", "{call}", "Calls that still ran when Drain.Timeout was over and that were cut off.",
		func(report func(uint64, ...attribute.KeyValue)) {
			for _, m := range s.path.all() {
				report(uint64(m.abandoned.Load()), semconv.RPCMethod(m.name))
			}
		})
	s.observeHealth(o)
	if s.keeper != nil {
		s.observeTLS(o)
	}
	s.observeRuntime(o)
	return o.register()
}

// drainPhase is the value of grpcx.drain.phase.
func (s *Server) drainPhase() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case phaseServing:
		return 1
	case phaseDraining, phaseDone:
		return 2
	default:
		return 0
	}
}

func outcome(value string) attribute.KeyValue { return attribute.String("grpcx.outcome", value) }

func (s *Server) observeTLS(o *observables) {
	duration, err := o.meter.Float64Histogram("grpcx.tls.handshake.duration", metric.WithUnit("s"),
		metric.WithDescription("How long TLS handshakes took, by outcome as grpcx.tls.handshakes."),
		metric.WithExplicitBucketBoundaries(handshakeBuckets...))
	if err != nil {
		o.errs = append(o.errs, err)
	} else {
		s.keeper.handshakeTime = duration
	}
	o.counter("grpcx.tls.handshakes", "{handshake}", "TLS handshakes, by outcome: ok, resumed, or what was wrong with the peer.",
		func(report func(uint64, ...attribute.KeyValue)) {
			status := s.keeper.status()
			report(status.Handshakes-status.Resumed, outcome(handshakeOutcome(false)))
			report(status.Resumed, outcome(handshakeOutcome(true)))
			for reason, n := range status.Refused {
				report(n, outcome(reasonName(reason)))
			}
		})
	o.counter("grpcx.tls.distrusted", "{connection}", "Open connections whose peer was no longer accepted, by reason.",
		func(report func(uint64, ...attribute.KeyValue)) {
			for reason, n := range s.keeper.status().Distrusted {
				report(n, outcome(reasonName(reason)))
			}
		})
	o.gauge("grpcx.tls.certificate.not_after", "s", "When the served certificate, or the first of its chain, expires: Unix time.",
		func(report func(float64, ...attribute.KeyValue)) {
			report(float64(s.cfg.transport.source.Current().NotAfter().Unix()))
		})
	o.gauge("grpcx.tls.generation", "{generation}", "The generation of the certificate and trust in use: it grows with every reload.",
		func(report func(float64, ...attribute.KeyValue)) {
			report(float64(s.cfg.transport.source.Current().Generation()))
		})
	if reloader := s.cfg.transport.reloader; reloader != nil {
		o.level("grpcx.tls.degraded", "1", "1 while the TLS files cannot be adopted and the last good ones are served, else 0.",
			func(report func(int64, ...attribute.KeyValue)) { report(oneIf(reloader.Status().Degraded)) })
		o.counter("grpcx.tls.reloads", "{reload}", "Changes of the TLS files, by outcome: adopted, or failed once for each content and reason.",
			func(report func(uint64, ...attribute.KeyValue)) {
				report(s.cfg.transport.reloads.adopted.Load(), outcome("adopted"))
				report(s.cfg.transport.reloads.failed.Load(), outcome("failed"))
			})
	}
}

func reasonName(reason tlsx.PeerReason) string {
	if reason == "" {
		return "broken"
	}
	return string(reason)
}

func (s *Server) observeRuntime(o *observables) {
	o.gauge("grpcx.runtime.gomaxprocs", "{thread}", "GOMAXPROCS, with where the value comes from.",
		func(report func(float64, ...attribute.KeyValue)) {
			reportSnapshot(report, runtimex.Current().GOMAXPROCS)
		})
	o.gauge("grpcx.runtime.gomemlimit", "By", "GOMEMLIMIT, where there is one, with where the value comes from.",
		func(report func(float64, ...attribute.KeyValue)) {
			if limit := runtimex.Current().GOMEMLIMIT; limit.Value != runtimex.NoLimit {
				reportSnapshot(report, limit)
			}
		})
	o.gauge("grpcx.runtime.gogc", "%", "GOGC, with where the value comes from; -1 is off.",
		func(report func(float64, ...attribute.KeyValue)) { reportSnapshot(report, runtimex.Current().GOGC) })
	tuning := s.tuning.Load()
	if tuning == nil {
		return
	}
	o.gauge("grpcx.runtime.gc.fraction", "1", "The share of the CPU that the collector used lately.",
		func(report func(float64, ...attribute.KeyValue)) { report(tuning.GCFraction()) })
	o.counter("grpcx.runtime.cpu.throttled", "{period}", "Enforcement periods in which the control group used up its CPU quota.",
		func(report func(uint64, ...attribute.KeyValue)) {
			if p, err := tuning.Pressure(); err == nil {
				report(p.CPU.Throttled)
			}
		})
	o.counter("grpcx.runtime.memory.events", "{event}", "How often the control group's memory limits were enforced, by kind.",
		func(report func(uint64, ...attribute.KeyValue)) {
			p, err := tuning.Pressure()
			if err != nil {
				return
			}
			report(p.Memory.High, outcome("high"))
			report(p.Memory.Max, outcome("max"))
			report(p.Memory.OOM, outcome("oom"))
			report(p.Memory.OOMKill, outcome("oom_kill"))
		})
}

func reportSnapshot(report func(float64, ...attribute.KeyValue), s runtimex.Snapshot) {
	report(float64(s.Value), attribute.String("grpcx.source", string(s.Source)))
}
