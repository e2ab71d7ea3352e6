package grpcx

import (
	"google.golang.org/grpc"
)

// Instrument returns a registrar that weaves the call path of this package
// (telemetry, recovery, access log, per-method policy, first-message timeout) around the
// services registered through it, and registers them with reg: a grpc.Server
// that the program built by hand. The server's own options stay as they are.
//
// Of the options only those of the call path apply: WithLogger, WithMethods,
// WithLimits with FirstMessageTimeout alone, WithTracerProvider,
// WithMeterProvider, WithPropagator, WithTelemetry, Without, and Options of these;
// any other is an error. Panics in stream interceptors of reg are outside
// what is woven; [New] covers those too.
func Instrument(reg grpc.ServiceRegistrar, opts ...Option) (grpc.ServiceRegistrar, error) {
	var cfg settings
	cfg.applyAll(opts)
	if isNil(reg) {
		cfg.errs = append(cfg.errs, optionErrorf("Instrument", "", "the registrar is nil; pass a *grpc.Server"))
	}
	cfg.refuseServerOptions()
	cfg.finish()
	if err := cfg.err(); err != nil {
		return nil, err
	}
	path := newCallPath(&cfg, cfg.log.current)
	t, err := newTelemetry(&cfg)
	if err != nil {
		return nil, err
	}
	path.record(t)
	return &instrumented{reg, path}, nil
}

type instrumented struct {
	reg  grpc.ServiceRegistrar
	path *callPath
}

func (i *instrumented) RegisterService(desc *grpc.ServiceDesc, impl any) {
	i.reg.RegisterService(i.path.weave(desc, true), impl)
}

// refuseServerOptions finds the options that Instrument cannot honour.
func (s *settings) refuseServerOptions() {
	limits := s.limits
	limits.FirstMessageTimeout = 0
	for _, o := range []struct {
		name  string
		given bool
	}{
		{"WithAddr", s.addrs != nil},
		{"WithListener", s.listeners != nil},
		{"WithProbeAddr", s.probeAddr != ""},
		{"WithProbeTLS", s.probeTLS},
		{"WithAdminAddr", s.adminAddr != ""},
		{s.transport.option, s.transport.option != ""},
		{"WithLimits", limits != Limits{}},
		{"WithKeepalive", s.keepalive != Keepalive{}},
		{"WithDrain", s.drain != Drain{}},
		{"WithDistrust", s.distrust != Distrust{}},
		{"WithCheck", s.checks != nil},
		{"WithUnaryInterceptor, WithStreamInterceptor or WithServerOptions", s.grpcOptions != nil},
		{"WithUnknownHandler", s.unknown != nil},
		{"WithReflection", s.reflection},
		{"WithStreamWorkers", s.streamWorkers != 0},
		{"WithSetup", s.setups != nil},
	} {
		if o.given {
			s.errs = append(s.errs, optionErrorf(o.name, "", "Instrument cannot change the server it is given; set this on the grpc.Server, or use New"))
		}
	}
}
