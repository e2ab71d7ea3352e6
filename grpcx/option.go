package grpcx

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/tlsx"
)

// Option configures a server. Options come from the With functions of this
// package only, can be printed, and are applied in the order given; the
// package documentation has the rules.
type Option interface {
	// String describes the option, without secrets.
	String() string

	apply(*settings) error
}

type option struct {
	text string
	set  func(*settings) error
}

func (o option) String() string          { return o.text }
func (o option) apply(s *settings) error { return o.set(s) }

func newOption(name string, args any, set func(*settings) error) Option {
	if args == nil {
		return option{name, set}
	}
	return option{fmt.Sprintf("%s(%v)", name, args), set}
}

// Options groups options into one, for a preset that a platform team shares.
func Options(opts ...Option) Option {
	opts = slices.Clone(opts)
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = fmt.Sprint(o)
	}
	return option{"Options(" + strings.Join(texts, ", ") + ")", func(s *settings) error {
		s.applyAll(opts)
		return nil
	}}
}

// WithAddr adds an address to listen on: "host:port", ":port" for every
// interface, or "unix:/path". Port 0 picks a free one; see [Server.Addrs].
// Default ":50051" when no address or listener is given anywhere.
func WithAddr(addr string) Option {
	return newOption("WithAddr", addr, func(s *settings) error {
		if err := checkAddr(addr); err != nil {
			return &OptionError{Option: "WithAddr", Err: err}
		}
		s.addrs = append(s.addrs, addr)
		return nil
	})
}

// WithListener adds a listener to serve on. The server owns it: Serve closes
// it, whatever happens.
func WithListener(lis net.Listener) Option {
	return newOption("WithListener", listenerAddr(lis), func(s *settings) error {
		if isNil(lis) {
			return optionErrorf("WithListener", "", "the listener is nil; pass one that net.Listen returned")
		}
		s.listeners = append(s.listeners, lis)
		return nil
	})
}

// WithTLSFiles serves TLS with a certificate, key, client CA and CRLs from
// files, which [New] loads and the server follows while it serves: a change is
// adopted as a whole or not at all, and open connections are held to it, see
// [Distrust]. A client certificate is required and verified unless
// Files.ClientAuth says otherwise. The options are those of
// [tlsx.NewReloader]. The last of WithTLSFiles, WithTLS and WithInsecure wins.
func WithTLSFiles(files tlsx.Files, opts ...tlsx.ReloaderOption) Option {
	opts = slices.Clone(opts)
	return newOption("WithTLSFiles", files.Cert, func(s *settings) error {
		s.transport = transport{option: "WithTLSFiles", files: files, options: opts}
		return nil
	})
}

// WithTLS serves TLS from a source that the caller owns and runs, such as a
// [tlsx.Reloader]. Open connections are held to its changes, see [Distrust].
func WithTLS(source tlsx.Source) Option {
	return newOption("WithTLS", nil, func(s *settings) error {
		if isNil(source) {
			return optionErrorf("WithTLS", "", "the source is nil; pass one such as tlsx.Static(snapshot)")
		}
		s.transport = transport{option: "WithTLS", source: source}
		return nil
	})
}

// WithInsecure serves plaintext: no encryption, no peer identity. It is meant
// for servers whose traffic a mesh sidecar encrypts, and for tests.
func WithInsecure() Option {
	return newOption("WithInsecure", nil, func(s *settings) error {
		s.transport = transport{option: "WithInsecure"}
		return nil
	})
}

// WithLimits sets limits; zero fields leave earlier values alone.
func WithLimits(l Limits) Option {
	return newOption("WithLimits", fmt.Sprintf("%+v", l), func(s *settings) error { merge(&s.limits, l); return nil })
}

// WithKeepalive sets connection lifetimes; zero fields leave earlier values
// alone.
func WithKeepalive(k Keepalive) Option {
	return newOption("WithKeepalive", fmt.Sprintf("%+v", k), func(s *settings) error { merge(&s.keepalive, k); return nil })
}

// WithDrain bounds the shutdown; zero fields leave earlier values alone.
func WithDrain(d Drain) Option {
	return newOption("WithDrain", fmt.Sprintf("%+v", d), func(s *settings) error { merge(&s.drain, d); return nil })
}

// WithCheck adds a health check, run in the background from Serve on; while a
// required one fails the server answers NOT_SERVING. See
// [healthx.Registry.AddCheck].
func WithCheck(name string, check func(context.Context) error, opts ...healthx.CheckOption) Option {
	return newOption("WithCheck", name, func(s *settings) error {
		s.checks = append(s.checks, namedCheck{name, check, opts})
		return nil
	})
}

// WithMethods gives the methods that match a policy. The matcher is asked once
// for each method, when it is registered, with a background context and no
// request. Where several match, their policies merge field by field in the
// order given.
func WithMethods(match selector.Matcher, policy Policy) Option {
	return newOption("WithMethods", fmt.Sprintf("%+v", policy), func(s *settings) error {
		if isNil(match) {
			return optionErrorf("WithMethods", "", "the matcher is nil; use selector.MatchFunc")
		}
		if err := policy.check(); err != nil {
			return err
		}
		s.policies = append(s.policies, methodPolicy{match, policy})
		return nil
	})
}

// WithLogger sets the logger. Default: slog.Default() at the time of each line.
func WithLogger(log *slog.Logger) Option {
	return newOption("WithLogger", nil, func(s *settings) error {
		if log == nil {
			return optionErrorf("WithLogger", "", "the logger is nil; for silence use slog.New(slog.DiscardHandler)")
		}
		s.log.option = log
		return nil
	})
}

// WithUnaryInterceptor appends interceptors for unary calls, the first
// outermost.
func WithUnaryInterceptor(interceptors ...grpc.UnaryServerInterceptor) Option {
	interceptors = slices.Clone(interceptors)
	return newOption("WithUnaryInterceptor", len(interceptors), func(s *settings) error {
		for i, in := range interceptors {
			if in == nil {
				return optionErrorf("WithUnaryInterceptor", "", "interceptor %d is nil; leave it out", i)
			}
		}
		s.grpcOptions = append(s.grpcOptions, grpc.ChainUnaryInterceptor(interceptors...))
		return nil
	})
}

// WithStreamInterceptor appends interceptors for streaming calls, the first
// outermost.
func WithStreamInterceptor(interceptors ...grpc.StreamServerInterceptor) Option {
	interceptors = slices.Clone(interceptors)
	return newOption("WithStreamInterceptor", len(interceptors), func(s *settings) error {
		for i, in := range interceptors {
			if in == nil {
				return optionErrorf("WithStreamInterceptor", "", "interceptor %d is nil; leave it out", i)
			}
		}
		s.grpcOptions = append(s.grpcOptions, grpc.ChainStreamInterceptor(interceptors...))
		return nil
	})
}

// WithUnknownHandler handles calls of methods that are not registered, for
// example to proxy them. Default: Unimplemented.
func WithUnknownHandler(handler grpc.StreamHandler) Option {
	return newOption("WithUnknownHandler", nil, func(s *settings) error {
		if handler == nil {
			return optionErrorf("WithUnknownHandler", "", "the handler is nil; leave the option out for Unimplemented")
		}
		s.unknown = handler
		return nil
	})
}

// WithServerOptions passes options of grpc-go that have no counterpart here.
// Those that would replace one of ours (for example Creds or MaxRecvMsgSize)
// are refused, with the name of the option to use.
func WithServerOptions(opts ...grpc.ServerOption) Option {
	opts = slices.Clone(opts)
	return newOption("WithServerOptions", len(opts), func(s *settings) error {
		for _, o := range opts {
			if err := checkServerOption(o); err != nil {
				return err
			}
		}
		s.grpcOptions = append(s.grpcOptions, opts...)
		return nil
	})
}

// WithReflection serves the reflection service (v1 and v1alpha), which lists
// every method and message type to whoever may call the server. Default off.
func WithReflection() Option {
	return newOption("WithReflection", nil, func(s *settings) error { s.reflection = true; return nil })
}

// WithSetup adds a hook that runs in Serve after the listeners are bound and
// before anything is served; an error makes Serve fail. It is how other
// packages plug in: services, background tasks, providers, a logger, pages, stop
// hooks.
func WithSetup(hook func(context.Context, *Setup) error) Option {
	return newOption("WithSetup", nil, func(s *settings) error {
		if hook == nil {
			return optionErrorf("WithSetup", "", "the hook is nil; leave it out")
		}
		s.setups = append(s.setups, hook)
		return nil
	})
}

// WithStreamWorkers sets how many goroutines are kept to run handlers on. A call
// that finds one idle saves the growth of a new stack, which is most of what a
// small call costs in bare grpc-go; others run on goroutines of their own. Every
// long stream holds one. Default and zero: 16 for each GOMAXPROCS, at most 512;
// negative: none. grpc.NumStreamWorkers in [WithServerOptions] wins.
func WithStreamWorkers(n int) Option {
	return newOption("WithStreamWorkers", n, func(s *settings) error {
		if n > maxStreamWorkers {
			return optionErrorf("WithStreamWorkers", "", "is %d; use at most %d", n, maxStreamWorkers)
		}
		s.streamWorkers = n
		return nil
	})
}

// Without switches features off. The last one wins.
func Without(features ...Feature) Option {
	features = slices.Clone(features)
	return newOption("Without", features, func(s *settings) error {
		off := map[Feature]bool{}
		for _, f := range features {
			if !slices.Contains(allFeatures, f) {
				return optionErrorf("Without", "", "there is no feature %q; there are %v", f, allFeatures)
			}
			off[f] = true
		}
		s.without = off
		return nil
	})
}

// Feature is a part of the server that [Without] can switch off.
type Feature string

const (
	// Recovery turns panics of handlers and interceptors into Internal.
	// Without it a panic ends the process, as in bare grpc-go.
	Recovery Feature = "recovery"
	// AccessLog writes one line per call by the log mode of its [Policy].
	// Panics are logged without it too.
	AccessLog Feature = "access-log"
	// Health serves grpc.health.v1 on the serving port. The registry and the
	// probe listener work without it.
	Health Feature = "health"
	// RuntimeTuning makes [Server.Run], not Serve, keep GOMAXPROCS and
	// GOMEMLIMIT in step with the limits of the control groups; see
	// [runtimex.Apply].
	RuntimeTuning Feature = "runtime-tuning"
	// Tracing starts a span for each call of the program's services. The
	// caller's trace and baggage reach handlers without it too.
	Tracing Feature = "tracing"
	// Metrics measures every call, and the server itself.
	Metrics Feature = "metrics"
)

var allFeatures = []Feature{Recovery, AccessLog, Health, RuntimeTuning, Tracing, Metrics}

func listenerAddr(lis net.Listener) string {
	if isNil(lis) {
		return "nil"
	}
	return lis.Addr().String()
}

func checkAddr(addr string) error {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" {
			return fmt.Errorf("%q has no path; write unix:/run/app.sock", addr)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address; write host:port, for example \":50051\" or \"127.0.0.1:50051\"", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no valid port; use a number from 0 to 65535", addr)
	}
	return nil
}

// isNil also finds a nil pointer inside an interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice, reflect.Interface:
		return r.IsNil()
	default:
		return false
	}
}
