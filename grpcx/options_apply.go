package grpcx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/tlsx"
)

// settings collects what the options say.
type settings struct {
	addrs     []string
	listeners []net.Listener
	probeAddr string
	probeTLS  bool
	adminAddr string // with a host

	transport transport
	limits    Limits
	keepalive Keepalive
	drain     Drain
	distrust  Distrust

	checks      []namedCheck
	policies    []methodPolicy
	log         *loggerChoice
	grpcOptions []grpc.ServerOption // interceptors and opaque options, in the order given
	unknown     grpc.StreamHandler
	reflection  bool
	setups      []func(context.Context, *Setup) error
	without     map[Feature]bool

	streamWorkers int // 0: the default, negative: none

	telemetry      Telemetry
	tracerProvider trace.TracerProvider // nil: the global one, likewise the next two
	meterProvider  metric.MeterProvider
	propagator     propagation.TextMapPropagator

	envFiles tlsx.Files // from FromEnv
	given    []string   // the options, printed
	warnings []string   // said when Serve starts
	errs     []error
}

// transport is the decision about transport security: the last option wins.
type transport struct {
	option   string // the option that decided; empty when none did
	files    tlsx.Files
	options  []tlsx.ReloaderOption
	source   tlsx.Source    // nil is plaintext, once New has loaded the files
	reloader *tlsx.Reloader // of the files, which the server runs
	reloads  *reloadCounts  // of the reloader
}

// reloadCounts counts what became of changes of the TLS files.
type reloadCounts struct{ adopted, failed atomic.Uint64 }

func (c *reloadCounts) observe(event tlsx.Event) {
	switch event.(type) {
	case tlsx.Reloaded:
		c.adopted.Add(1)
	case tlsx.ReloadFailed:
		c.failed.Add(1)
	}
}

type namedCheck struct {
	name  string
	check func(context.Context) error
	opts  []healthx.CheckOption
}

const defaultAddr = ":50051"

func (s *settings) applyAll(opts []Option) {
	if s.log == nil {
		s.log = &loggerChoice{}
	}
	for i, o := range opts {
		if isNil(o) {
			s.errs = append(s.errs, optionErrorf("Option", "", "option %d is nil; leave it out", i))
			continue
		}
		if err := o.apply(s); err != nil {
			s.errs = append(s.errs, err)
		}
	}
}

// finish fills in the defaults and validates the whole.
func (s *settings) finish() {
	s.errs = append(s.errs, complete("WithLimits", &s.limits, defaultLimits())...)
	s.errs = append(s.errs, complete("WithKeepalive", &s.keepalive, defaultKeepalive())...)
	s.errs = append(s.errs, complete("WithDrain", &s.drain, defaultDrain())...)
	s.errs = append(s.errs, complete("WithDistrust", &s.distrust, defaultDistrust())...)
	if s.limits.MaxHeaderBytes > 0 && s.limits.MaxHeaderBytes < minHeaderBytes {
		s.errs = append(s.errs, optionErrorf("WithLimits", "MaxHeaderBytes",
			"is %d; the headers of a plain call need more: set at least %d", s.limits.MaxHeaderBytes, minHeaderBytes))
	}
	if k := s.keepalive; k.Time > 0 && k.Time < minKeepaliveTime {
		s.errs = append(s.errs, optionErrorf("WithKeepalive", "Time",
			"is %v; grpc-go raises anything below %v to it: set at least that", k.Time, minKeepaliveTime))
	}
}

const (
	minHeaderBytes   = 4 * kib
	minKeepaliveTime = time.Second // the floor of grpc.KeepaliveParams
)

// loadTransport loads the TLS files and refuses a missing decision.
func (s *settings) loadTransport() {
	t := &s.transport
	switch t.option {
	case "":
		s.errs = append(s.errs, optionErrorf("WithTLSFiles", "",
			"no transport security was chosen; use WithTLSFiles (or WithTLS) for mutual TLS, or WithInsecure to say that this server may speak plaintext"))
	case "WithTLSFiles":
		reloads := new(reloadCounts)
		opts := append(s.reloaderOptions(), tlsx.WithObserver(reloads.observe))
		reloader, err := tlsx.NewReloader(t.files, append(opts, t.options...)...)
		if err != nil {
			s.errs = append(s.errs, tlsErrors(err)...)
			return
		}
		t.source, t.reloader, t.reloads = reloader, reloader, reloads
	}
	if t.source == nil {
		return
	}
	switch now := t.source.Current(); {
	case now == nil || now.Leaf() == nil:
		s.errs = append(s.errs, optionErrorf(t.option, "", "the source holds no certificate yet; start it before New"))
	case now.Usage() == tlsx.ForClient:
		s.errs = append(s.errs, optionErrorf(t.option, "Usage", "the certificate is loaded for a client; use tlsx.ForServer or tlsx.ForBoth"))
	}
}

// tlsErrors gives each problem of the files its own OptionError.
func tlsErrors(err error) []error {
	var errs []error
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		field := ""
		if file, ok := errors.AsType[*tlsx.FileError](err); ok {
			field = file.Path
		}
		errs = append(errs, &OptionError{Option: "WithTLSFiles", Field: field, Err: err})
	}
	return errs
}

// What Settings and the start line call the decision.
const (
	modePlaintext = "plaintext"
	modeMutual    = "mutual tls"
	modeIfGiven   = "tls, client certificate verified if given"
	modeTLS       = "tls"
)

func (t transport) mode() string {
	if t.source == nil {
		return modePlaintext
	}
	switch t.source.Current().ClientAuth() {
	case tlsx.NoClientCert:
		return modeTLS
	case tlsx.VerifyClientCertIfGiven:
		return modeIfGiven
	default:
		return modeMutual
	}
}

// err joins the problems found so far.
func (s *settings) err() error {
	if len(s.errs) == 0 {
		return nil
	}
	return errors.Join(s.errs...)
}

func (s *settings) healthOptions() []healthx.Option {
	return []healthx.Option{healthx.WithLogger(s.log.following())}
}

func (s *settings) reloaderOptions() []tlsx.ReloaderOption {
	return []tlsx.ReloaderOption{tlsx.WithLogger(s.log.following())}
}

func printAll(opts []Option) []string {
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = fmt.Sprint(o)
	}
	return texts
}
