package grpcx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc"
)

// run is one pass through the lifecycle.
type run struct {
	*Server

	listeners []net.Listener
	probe     *probeServer // nil without a probe address
	admin     *adminServer // nil without an admin address

	accepting  []chan struct{} // closed when an accept loop has ended
	failed     chan error      // an accept loop that ended by itself
	stopHealth context.CancelFunc
	healthDone chan struct{}
	stopTLS    context.CancelFunc
	tlsDone    []chan struct{}
	unobserve  func() error // nil without metrics
}

// prepare binds the listeners, so that an address in use is an error at once
// and early connections queue, then runs the set-up hooks and builds the
// grpc.Server.
func (r *run) prepare(ctx context.Context, given []net.Listener) error {
	if err := r.bind(ctx, given); err != nil {
		return err
	}
	for _, hook := range r.cfg.setups {
		if err := hook(ctx, &Setup{r.Server}); err != nil {
			return &OptionError{Option: "WithSetup", Err: err}
		}
	}
	t, err := newTelemetry(&r.cfg)
	if err != nil {
		return err
	}
	if mp := r.cfg.metering(); mp != nil {
		if r.unobserve, err = r.observeServer(mp.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.reflection {
		r.registerReflectionLocked()
	}
	if len(r.problems) > 0 {
		return errors.Join(r.problems...)
	}
	r.path.record(t)
	if r.buildLocked() == nil {
		return r.buildErr
	}
	if errs := r.bypassedLocked(); len(errs) > 0 {
		return errors.Join(errs...)
	}
	r.phase = phaseServing
	return nil
}

func (r *run) bind(ctx context.Context, given []net.Listener) error {
	addrs := r.cfg.addrs
	if len(addrs)+len(r.cfg.listeners)+len(given) == 0 {
		addrs = []string{defaultAddr}
	}
	var errs []error
	for _, addr := range addrs {
		lis, err := listen(ctx, addr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.listeners = append(r.listeners, lis)
	}
	r.listeners = append(append(r.listeners, r.cfg.listeners...), given...)
	for _, lis := range r.listeners {
		if err := r.checkDevelopment(lis.Addr()); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, r.bindOwn(ctx)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, lis := range r.listeners {
		r.addrs = append(r.addrs, lis.Addr())
	}
	if r.probe != nil {
		r.probeAddr = r.probe.lis.Addr()
	}
	if r.admin != nil {
		r.adminAddr = r.admin.lis.Addr()
	}
	return errors.Join(errs...)
}

// bindOwn binds the listeners for probes and for operators.
func (r *run) bindOwn(ctx context.Context) (errs []error) {
	if addr := r.cfg.probeAddr; addr != "" {
		lis, err := listen(ctx, addr)
		if err != nil {
			errs = append(errs, err)
		} else {
			r.probe = newProbeServer(lis, r.Server)
			if r.cfg.probeTLS {
				errs = append(errs, r.checkDevelopment(lis.Addr()))
			}
		}
	}
	if addr := r.cfg.adminAddr; addr != "" {
		lis, err := listen(ctx, addr)
		if err != nil {
			errs = append(errs, err)
		} else {
			r.admin = newAdminServer(lis, r.Server)
		}
	}
	return errs
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	network, address := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, address = "unix", path
	}
	lis, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("grpcx: cannot listen on %s: %w", addr, err)
	}
	return lis, nil
}

// checkDevelopment refuses to show development certificates to a network.
func (r *run) checkDevelopment(addr net.Addr) error {
	source := r.cfg.transport.source
	if source == nil || !source.Current().Development() {
		return nil
	}
	if isOpen(addr) {
		return optionErrorf(r.cfg.transport.option, "", "the certificate is a development one and %v is not a loopback address; listen on 127.0.0.1, or use a certificate of your own CA", addr)
	}
	return nil
}

// start serves. Health may turn SERVING from here on.
func (r *run) start(ctx context.Context) {
	r.startTLS(context.WithoutCancel(ctx))
	r.tasks.start(ctx)
	for _, lis := range r.listeners {
		done := make(chan struct{})
		r.accepting = append(r.accepting, done)
		go func() {
			defer close(done)
			if err := r.grpc.Serve(&listener{lis, r.table}); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				select {
				case r.failed <- fmt.Errorf("grpcx: listener %v: %w", lis.Addr(), err):
				default:
				}
			}
		}()
	}
	if r.probe != nil {
		r.probe.start()
	}
	if r.admin != nil {
		r.admin.start(ctx)
	}
	healthCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stopHealth, r.healthDone = cancel, make(chan struct{})
	go func() {
		defer close(r.healthDone)
		if err := r.health.Run(healthCtx); err != nil && healthCtx.Err() == nil {
			r.logger().Error("grpcx: health checks ended", slog.Any("error", err))
		}
	}()
	r.logStart()
}

// undo gives back what prepare took before it failed.
func (r *run) undo() []error {
	closeAll(r.listeners)
	if r.probe != nil {
		_ = r.probe.lis.Close()
	}
	if r.admin != nil {
		_ = r.admin.lis.Close()
	}
	r.tasks.close()
	r.mu.Lock()
	if r.grpc != nil {
		r.grpc.Stop()
	}
	r.phase = phaseDone
	r.mu.Unlock()
	r.health.Close()
	left := newBudget(r.cfg.drain.Stop, r.hurry)
	errs, _ := r.runHooks(left)
	return errs
}

func closeAll(listeners []net.Listener) {
	for _, lis := range listeners {
		if !isNil(lis) {
			_ = lis.Close()
		}
	}
}
