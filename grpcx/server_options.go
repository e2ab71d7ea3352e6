package grpcx

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// owned maps the options of grpc-go that this package sets to the option of
// ours that sets them. Ours are applied last, so one of these given to
// WithServerOptions would be replaced in silence, or make grpc.NewServer panic.
//
//nolint:gosec // G101 takes the name of an option for a credential
var owned = map[string]string{
	"Creds":                      "WithTLS or WithTLSFiles",
	"UnknownServiceHandler":      "WithUnknownHandler",
	"StreamInterceptor":          "WithStreamInterceptor",
	"MaxMsgSize":                 "WithLimits (MaxRecvBytes)",
	"MaxRecvMsgSize":             "WithLimits (MaxRecvBytes)",
	"MaxSendMsgSize":             "WithLimits (MaxSendBytes)",
	"MaxHeaderListSize":          "WithLimits (MaxHeaderBytes)",
	"MaxConcurrentStreams":       "WithLimits (MaxConcurrentStreams)",
	"ConnectionTimeout":          "WithLimits (ConnectionTimeout)",
	"KeepaliveParams":            "WithKeepalive",
	"KeepaliveEnforcementPolicy": "WithKeepalive",
}

func checkServerOption(o grpc.ServerOption) error {
	if isNil(o) {
		return optionErrorf("WithServerOptions", "", "an option is nil; leave it out")
	}
	if name := serverOptionName(o); owned[name] != "" {
		return optionErrorf("WithServerOptions", name, "the server sets this itself; use %s", owned[name])
	}
	return nil
}

// serverOptionName returns the name of the grpc function that made o, or "".
// A grpc.ServerOption is opaque, but it holds a function literal whose symbol
// names the function it was written in. Where that changes, the trial in
// tryServer still finds what grpc-go itself refuses.
func serverOptionName(o grpc.ServerOption) string {
	v := reflect.ValueOf(o)
	if name, ok := strings.CutSuffix(v.Type().Name(), "ServerOption"); ok {
		return name // such as grpc.MaxHeaderListSizeServerOption
	}
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return ""
	}
	for _, field := range v.Elem().Fields() {
		if field.Kind() != reflect.Func {
			continue
		}
		fn := runtime.FuncForPC(field.Pointer())
		if fn == nil {
			return ""
		}
		// google.golang.org/grpc.Creds.func1, or, inlined into its caller,
		// example.com/app.main.Creds.func1.
		parts := strings.Split(fn.Name()[strings.LastIndexByte(fn.Name(), '/')+1:], ".")
		for _, part := range slices.Backward(parts) {
			if !strings.HasPrefix(part, "func") && !isDigits(part) {
				return part
			}
		}
	}
	return ""
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// serverOptions returns the options for grpc.NewServer: the user's first, then
// ours.
func (s *Server) serverOptions() []grpc.ServerOption {
	l, k := s.cfg.limits, s.cfg.keepalive
	opts := append([]grpc.ServerOption(nil), s.cfg.grpcOptions...)
	opts = append(opts,
		grpc.MaxRecvMsgSize(unlessOff(l.MaxRecvBytes, math.MaxInt32)),
		grpc.MaxSendMsgSize(unlessOff(l.MaxSendBytes, math.MaxInt32)),
		grpc.MaxHeaderListSize(uint32(min(l.MaxHeaderBytes, math.MaxInt32))),
		grpc.MaxConcurrentStreams(streamLimit(l.MaxConcurrentStreams)),
		grpc.ConnectionTimeout(l.ConnectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:                  k.Time,
			Timeout:               k.Timeout,
			MaxConnectionIdle:     unlessOff(k.MaxConnectionIdle, 0),
			MaxConnectionAge:      unlessOff(k.MaxConnectionAge, 0),
			MaxConnectionAgeGrace: unlessOff(k.MaxConnectionAgeGrace, 0),
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             k.MinTime,
			PermitWithoutStream: !k.DenyWithoutStream,
		}),
		grpc.StreamInterceptor(s.path.guard),
		grpc.UnknownServiceHandler(s.path.unknownHandler(s.cfg.unknown)),
	)
	if n := s.cfg.workers(); n > 0 {
		opts = append(opts, grpc.NumStreamWorkers(uint32(n)))
	}
	if s.cfg.transport.source != nil {
		opts = append(opts, grpc.Creds(&serverCreds{source: s.cfg.transport.source, table: s.table, keeper: s.keeper}))
	}
	return opts
}

const (
	workersPerProc    = 16
	defaultMaxWorkers = 512
	maxStreamWorkers  = 1 << 16
)

// workers is the number of stream workers; 0 leaves it to grpc-go and the
// program's own options.
func (s *settings) workers() int {
	if slices.ContainsFunc(s.grpcOptions, func(o grpc.ServerOption) bool { return serverOptionName(o) == "NumStreamWorkers" }) {
		return 0
	}
	if s.streamWorkers != 0 {
		return max(s.streamWorkers, 0)
	}
	return min(workersPerProc*runtime.GOMAXPROCS(0), defaultMaxWorkers)
}

// newGRPC builds the grpc.Server. What grpc-go refuses by panicking becomes an
// error.
func newGRPC(opts []grpc.ServerOption) (srv *grpc.Server, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &OptionError{Option: "WithServerOptions", Err: fmt.Errorf(
				"grpc-go refuses the options given: %v; remove the one that repeats or contradicts another", r)}
		}
	}()
	return grpc.NewServer(opts...), nil
}

// tryServer builds and drops a server, so that New reports what grpc-go would
// refuse later. Stream workers are goroutines, so the trial has none.
func tryServer(opts []grpc.ServerOption) error {
	srv, err := newGRPC(append(slices.Clip(opts), grpc.NumStreamWorkers(0)))
	if err != nil {
		return err
	}
	srv.Stop()
	return nil
}

// streamLimit keeps a limit one: grpc-go takes 0 for none.
func streamLimit(n int) uint32 {
	if n < 0 {
		return math.MaxUint32
	}
	return uint32(min(n, math.MaxInt32))
}

// unlessOff returns v, or, where it is negative, grpc-go's word for off.
func unlessOff[T int | time.Duration](v, off T) T {
	if v < 0 {
		return off
	}
	return v
}
